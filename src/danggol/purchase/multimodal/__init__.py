"""Purchase prediction that joins text, picture, events, offer, behaviour and customer of a showing.

``MultimodalModel`` and its settings are in :mod:`.model`; torch is imported only there.
"""
