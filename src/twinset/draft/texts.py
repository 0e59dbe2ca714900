"""The fixed texts of a draft, for an open and for a private run."""

from __future__ import annotations

HEAD = """#:schema study.schema.json
# Draft of a study file, made by `twinset init` from the table itself. Nothing here is decided yet:
# read it from top to bottom and correct it, then run `twinset release study.toml -o release`.
# This file holds bounds and levels read from patients' rows: it stays with the custodian.
"""
PRIVATE_HEAD = """#:schema study.schema.json
# Draft of a study file for a private run, made by `twinset init --private`. Nothing here is decided yet; the file stays with the custodian. What to fill in:
# 1. low and high of numbers and dates, levels of categories: from the code book, never from the table (what was read from it is left out on purpose).
# 2. origin = "public" on each column where you did. What stays open is found within the budget, less exactly, and costs accuracy everywhere.
# 3. Confirm each origin = "public" that stands here already: the list is public knowledge, but that a column is written in it was seen in the rows.
# 4. Run `twinset plan` on this file before the first release: it foretells, without a look at the rows, what each epsilon buys. A run that comes out useless has spent its budget.
# 5. How the file is read ([data]), types and roles were proposed after a look at the rows, and count as declared by you. A cell that does not fit is missing.
"""
HOLDOUT = """# Patients the generator never sees: the control of every privacy test.
[holdout]
fraction = 0.3
seed = 0
"""
GENERATOR = """# How the synthetic patients are made. Settings of the generator may follow its name.
[generator]
name = "{name}"
"""
RELEASE = """# How much is made. Fixed before anything is scored: all copies that are made are released.
[release]
n = 0            # 0 = {n}
copies = 1
format = "csv"   # csv, parquet or xlsx
"""
COLUMNS = """# The columns.
#   type    number, integer, category, date, datetime; text is never synthesised
#   role    identifier (never synthesised), quasi-identifier (an outsider may know it: age, sex, dates ...), sensitive, outcome, arm, time, event, group, or ""
"""
ORIGIN = """#   origin  where bounds and levels came from. "private" = read from the rows, as everything below. Where you know public ones (a code book, what
#           is biologically possible), write them in and set origin = "public": private bounds can never be part of a formal privacy claim.
"""
PRIVATE_ORIGIN = """#   level_type  what the levels of a category are, where they are not listed: text, integer, number, boolean
#   origin  "public" where bounds or levels are written that everybody may know. Without it they count for nothing here and are found within the budget.
#   decimals, missing_codes (numbers that stand for a kind of missing) belong to the code book too.
"""
AUDIT = """[audit]
seed = 0

# What the release must show before it may leave.
[policy]
name = "external researchers, v2"
"""
PRIVACY = """# Differential privacy: with this section and a generator that only measures (aim, mst), nobody can tell from the release whether
# one patient was in the table, up to epsilon (1 is strong, 5 usual, above 10 weak); what is spent is kept in a ledger beside the table.
# Bounds, levels and rules above count as known only with origin = "public"; the rest is found privately and paid for, private rules are refused.
# `twinset init --private` drafts a study for that.
# [privacy]
# epsilon = 1
# unit = {unit}   # whom the promise is made to: the patient column, or "row"
# relation = "add-remove"   # or "replace", where the number of patients is public
# budget = 5   # the epsilon of all releases of this table together; set once
"""
PRIVATE_PRIVACY = """# Differential privacy: nobody can tell from the release whether one patient was in the table, up to epsilon (1 is strong, 5 usual, above 10 weak).
# What is spent is kept in a ledger beside the table.
[privacy]
epsilon = 1
unit = {unit}   # whom the promise is made to: the patient column, or "row"
relation = "add-remove"   # or "replace", where the number of patients is public
budget = 5   # the epsilon of all releases and answers of this table together, for ever: decide it now, the first run fixes it
# about = 1000   # about how many patients, a figure that all may know (a protocol, a publication): a run that is foretold to be of no use then stops before it spends
"""
ROWS_OF_NOBODY = """# unit = "row" promises to each row: to a patient only if nobody has two rows. If some column names the patient, write it here and under [data], with per_patient.
"""
NO_RULES = '# Rules hold in every synthetic row. None suggested itself. For example:\n# [[rules]]\n# name = "R1"\n# rule = "start <= end"\n'
RULES = "# Rules hold in every synthetic row. These hold in the table: keep what is medicine, delete what is coincidence. What is commented out is to be known."
PRIVATE_RULES = """# Rules hold in every synthetic row. A private run takes those that medicine or a code book says, each with origin = "public".
# The following hold in every row of the table, which says nothing about who may know them: use one only if you would have written it without the table."""
NO_ENDPOINTS = "# Endpoints: analyses run alike on train, hold-out and synthetic patients. None was recognised.\n"
ENDPOINTS = "# Endpoints: analyses run alike on train, hold-out and synthetic patients."
