"""Pages that read every domain: work places by role, quick search, the tabs of the dealer page.

Nothing is written here. Figures have one definition each in `figures.py`; pages only arrange them.
"""
