"""Pages of WebShop as pictures, for models that see.

=================  ==============================================================
``reference``      what a picture shows, as a short text that trajectories store
``pictures``       a reference as an image, a file or a ``data:`` URL, on demand
``layout``         where things stand on a page
``canvas``         ink, words and boxes
``products``       product pictures: the user's own, else drawn ones
=================  ==============================================================

A picture shows what the page shows, except the instruction: that belongs to the task, which
synthesis may change after the fact, and it stands in the text beside the picture. The score
that the original prints on its last page is never in a picture.
"""
