"""What the README files of a release folder say."""

from __future__ import annotations

NO_CLAIM = (
    "No differential privacy is claimed: the generator saw the rows. Recognising a patient was attempted before release, "
    "and the policy's checks ended as in `verdict.json`; that is evidence, not a guarantee.{counts}{accepted}{tried}"
)
CLAIM = (
    "The generator saw the rows only through noisy measurements. Differential privacy is promised to each {unit}: epsilon = {epsilon:g}, "
    "delta = {delta:g}, {relation}. {says} `certificate.json` lists every measurement, and what the promise does not cover. "
    "All copies come from one model: they share its noise, and more of them do not average it away."
)

COUNTS = (
    " The copies keep how many patients of each arm had each event or outcome all but exactly, so they tell the effect of the arm in these very patients. "
    "Of an arm with few patients, two releases that differ in one patient can tell that patient's outcome."
)
ACCEPTED = " **Not every check was settled**: with so few patients some could neither show nor rule out a leak. The custodian released it all the same, for this reason: {reason}."
TRIED = " It was attempt {number} on this table: {refused} before it refused, {released} released, {unfinished} without an end."

LEFT_OUT = "\nNot in this file, though the source has them: {columns}.\n"

STAYS = "What the tests on the patients' rows say is in custodian/report.html: it stays with the custodian."
UNLISTED = (
    "\nLevels that too few patients hold to be found within the privacy budget are written as `other`; where levels are numbers or yes/no, such patients got one of the levels that were found, which is then not theirs. Share of patients in them (a noisy figure): {columns}. "
    "What depends on those levels cannot be studied here.\n"
)

ANALYSIS_REFITS = "\nFor declared analyses `analyses.json` holds the estimate with an interval for the population, and how it was made."
ANALYSIS_T_S = "\nFor an analysis of your own `twinset.combine(folder, analysis)` gives one, by the rule T_s. {held}"
ANALYSIS_ALONE = "\nDeclared, but released without refits, and so without an interval of its own for at least one contrast: {names}."
ANALYSIS_NONE = "\n{other} rule for intervals was tested on these rows: report none{declare}."
CONFIRM = "\nConfirm what matters on the real data."
ANALYSIS_MODEL = (
    " `twinset.combine(folder, analysis)` gives an interval that\ncounts the patients' chance and the noise: it draws from `model.json`, adds the noise that was added here, "
    "and fits again.\nThe model holds noisy measurements only. All copies come from it and share its noise: do not treat them as independent, "
    "and confirm what\nmatters on the real data."
)

CUSTODIAN_README = """\
This folder must stay with the custodian. Everything in it was computed on real patients:
report.html (open it in a browser), findings.json, verdict.json, ledger.json, study.json
(with private bounds), page.json (for `twinset report`). Only the folder `release`, where
there is one, may leave.
"""

README = """\
# {title}: a synthetic cohort

**No row of these files is a patient.** They were drawn by a model (`{generator}`) that was fitted to real patients, for: {audience}.

{files}
* `data-dictionary.csv`: what each column is
{analyses}{proof}{model}* `verdict.json`: how each check of the release policy ended
* `study.json`: how the cohort was made, without anything read from the rows
* `metadata.json`, `SHA256SUMS`: labels for machines, checksums

{label}
{left_out}
## What you may do with it
Explore, write and test code, plan an analysis, teach. An estimate made here carries the model's error on top of sampling error:
an interval computed as if these rows were patients is too narrow.{analysis}
{howto}{unlisted}
## What it does not promise
{claim}
Do not try to recognise anyone, and do not remove the label.
"""
