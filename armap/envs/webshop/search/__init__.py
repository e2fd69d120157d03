"""What Lucene would find, without Lucene.

``words`` cuts text, ``porter`` stems, ``analyser`` puts both together, ``bm25`` ranks, and
``build`` makes the postings that it ranks from.
"""
