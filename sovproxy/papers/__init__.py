"""The papers of a processing: notice to staff, record, annex for the impact assessment, self-check.

Every sentence is made from facts (what policy, settings, program and machine are), and carries the
facts that it was made from. Texts stand in `texts/`, one file a paper, in French and English.
"""
