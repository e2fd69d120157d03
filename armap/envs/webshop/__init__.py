"""WebShop: buying from a catalogue of products through search results, item pages and options.

=================  ==============================================================
``config``         :class:`WebShopConfig`
``env``            :class:`WebShop`, the environment (it cannot grade)
``state``          one episode as an immutable record, and what an action makes of it
``pages``          a state as a page; a page as text, rich text or HTML
``catalogue/``     products, and the official files that they come from
``goals/``         what shoppers ask for, in the order that published indices mean
``search/``        what Lucene would find, without Lucene
``shop``           all of that opened once per process
``tasks``          the task lists that people quote
``graded/``        the reward: ground truth, for evaluation alone
=================  ==============================================================
"""
