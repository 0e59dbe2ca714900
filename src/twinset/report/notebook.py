"""Findings as a small table for a notebook: no page around it, nothing fetched, readable in light and dark."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from twinset.core.finding import Finding
from twinset.core.scale import scale, standing
from twinset.report import words
from twinset.report.charts import strip
from twinset.report.sections import sentence, wholes

MOST = 40
STYLE = """<style>
.twinset{--ink:#1a1e24;--soft:#525b67;--line:#d3d9e0;--rule:#7c8693;--paper:#fff;--made:#0a5ca3;--bad:#a8320c;--band:#d5e9dc;--edge:#4f8c69;border-collapse:collapse;font:13px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums;background:var(--paper);color:var(--ink)}
.twinset caption{text-align:left;color:var(--soft);background:var(--paper);padding:4px 10px;caption-side:bottom}
.twinset tbody th,.twinset thead th,.twinset td{text-align:left;padding:3px 10px;border-top:1px solid var(--line);color:var(--ink);background:var(--paper)}.twinset thead th{color:var(--soft);border:0}
.twinset tbody th{font-weight:600}.twinset .draw{min-width:170px}.twinset svg{display:block;overflow:visible}
.twinset .rail{stroke:var(--line);stroke-width:1.5}.twinset .better{fill:var(--soft)}.twinset .band{fill:var(--band);stroke:var(--edge)}.twinset .useless{stroke:var(--ink);stroke-width:3}
.twinset .chance{stroke:var(--rule)}.twinset .limit{stroke:var(--bad);stroke-width:1.8;stroke-dasharray:4 3}.twinset .whisker{stroke:var(--made);stroke-width:2.6}.twinset .mark{fill:var(--made);stroke:var(--paper)}
</style>"""


def findings_html(findings: Sequence[Finding]) -> str:
    """A table of findings with their scales, for ``_repr_html_``: at most 40 lines, details of single columns left out."""
    shown = wholes(findings)[:MOST]
    rows = Markup("").join(_row(f) for f in shown)
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(h) for h in ("Measure", "Scale", "Value", "Where it stands"))
    more = len(findings) - len(shown)
    legend = "Band: as good as real; dot and line: this table with its 95 % interval; thick tick: useless; thin line: chance." + (
        f" {more:,} more in .findings." if more else ""
    )
    return str(
        Markup(STYLE) + Markup('<table class="twinset"><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(legend, head, rows)
    )


def _row(finding: Finding) -> Markup:
    chart = strip(scale(finding), sentence(finding, None)) if finding.measured else Markup("")
    last = f"not measured: {finding.missing}" if finding.missing else words.stands(finding, standing(finding))
    value = words.estimate(finding) if finding.measured else ""
    cells = Markup('<th scope="row">{}</th><td class="draw">{}</td><td>{}</td><td>{}</td>').format(words.full_label(finding), chart, value, escape(last))
    return Markup("<tr>{}</tr>").format(cells)
