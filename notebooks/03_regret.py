# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (regret)=
# # 3. Search with and without weight sharing
#
# **Question.** Given the same time, does a supernet help to find a better architecture than a
# search that trains every candidate on its own?
#
# **What the paper did.** Pourchot {cite:p}`pourchot2022` trained 25 supernets on each of seven
# spaces made of NAS-Bench-101 {cite:p}`ying2019`, searched with their proxy accuracies, and
# compared test regrets with 100 runs of random and of greedy search, counting every cost. The
# comparison is *one-shot*: at the time when the one cell that a supernet picks has been trained.

# %% tags=["parameters", "hide-input"]
profile = "cpu"  # smoke, cpu or paper: how the supernets of study 1 were computed
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from nasrepro import plots, report
from nasrepro.benchmarks import available_tables, macro
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import detectable_effect
from nasrepro.studies import appraisal, correlations, regret, results

if workers:
    results.compute_missing("regret", profile, workers=workers, device=device)
plan = results.plan("regret", profile)
tables = regret.tables(results.known_statistics("regret", profile))
comparisons, claims, table4 = tables["comparisons"], tables["claims"], tables["table4"]
needed = {regret.TABLE, macro.NAME} - set(available_tables()) | set(appraisal.missing_files())
source = (
    f"what needs {', '.join(sorted(needed))} is shown as it was stored with the records"
    if needed
    else "everything below was computed from them when this page was made"
)


def show_table(name, frame, caption):
    """Glue a numbered table, to be placed in the text."""
    glue(name, Markdown(report.markdown_table(frame, caption, f"tab-{name}")), display=False)


# %% tags=["remove-input", "remove-output"]
small = set(regret.grid(profile)) & set(correlations.nb201_grid(profile))
protocol = regret.PROTOCOLS[profile]
verdicts = claims["verdict"].value_counts()
effects = tables["printed_effects"]
odd = effects[~effects["p_agrees"]]
design = tables["printed_design"]["value"].to_list()
superiority = tables["printed_superiority"].set_index("space")
full = comparisons.query("benchmark == 'nb201' and baseline == 'RS'")
full = full[full["space"] == str(Subspace())].set_index("charge")
numbers = {
    "profile": profile,
    "source": source,
    "runs": protocol.runs,
    "evaluations": f"{protocol.evaluations:,}",
    "guided": protocol.guided,
    "runs-stored": sum(record.config in small for record in plan.stored),
    "runs-total": len(small),
    "claims": len(claims),
    **{name: int(verdicts.get(name, 0)) for name in ("supported", "contradicted", "undecided")},
    "not-run": int(verdicts.get("not run", 0)),
    "same-sign": int((table4["d"] * table4["printed_d"] > 0).sum()) if len(table4) else 0,
    "spaces": len(table4),
    "clear": int((table4["ci_low"] * table4["ci_high"] > 0).sum()) if len(table4) else 0,
    "odd-p": len(odd),
    "printed": len(effects),
    "power": f"{design[0]:.2f}",
    "detectable": f"{design[1]:.2f}",
    "needed": f"{design[2]:.0f}",
    "equal": f"{design[3]:.2f}",
    "detectable-five": f"{detectable_effect(5, 100):.2f}",
    "printed-a4": f"{superiority['percent']['A_4']}%",
    "computed-a4": f"{superiority['percent_low']['A_4']:.0f}%",
    "supernets-201": int(full["supernets"].max()) if len(full) else 0,
    "cost-201": f"{full['budget'][regret.AS_RUN] - 1:.2f}" if len(full) else "–",
    "time-201": f"{full['baseline_trainings'][regret.AS_RUN]:.1f}" if len(full) else "–",
    "match-201": f"{full['trainings_to_match'][regret.AS_RUN]:.0f}" if len(full) else "–",
    "supernet-cost": f"{regret.SUPERNET:.0f}",
    "forward-cost": f"1/{1 / regret.EVALUATION:.0f}",
}
for name, value in numbers.items():
    glue(f"regret-{name}", Markdown(str(value)), display=False)

# %% [markdown]
# **In short.** Of {glue:md}`regret-claims` claims, {glue:md}`regret-supported` are supported here,
# {glue:md}`regret-contradicted` contradicted, {glue:md}`regret-undecided` undecided and
# {glue:md}`regret-not-run` not run ({numref}`tab-regret-verdicts`). With the authors' own published
# supernets, the effect has the sign that the paper prints in {glue:md}`regret-same-sign` of
# {glue:md}`regret-spaces` spaces, and an interval without zero in {glue:md}`regret-clear` of them
# ({numref}`fig-effects`): five supernets a space see less than 25. The printed tables hold together; the claim that weight sharing wins
# only {glue:md}`regret-printed-a4` of the time on A_4 does not: the printed effect size makes it
# {glue:md}`regret-computed-a4` ({numref}`tab-superiority`).
#
# ## How we ran it
#
# - **NAS-Bench-101**: the published part of the benchmark, and the authors' own supernets, each with
#   the proxy accuracies of 1,000 cells drawn at random from its space; beside them, as far as they
#   are stored, our own of study 1. Time is in seconds of training, as the benchmark measured them.
# - **NAS-Bench-201** {cite:p}`dong2020`: the complete table and the small supernets of study 1,
#   profile {glue:md}`regret-profile` ({glue:md}`regret-runs-stored` of {glue:md}`regret-runs-total`
#   stored), each with 1,000 random cells. (Study 1 also evaluates the truly best 500: they are never
#   candidates here.) Time is in stand-alone trainings.
# - **NAS-Bench-Macro** {cite:p}`su2021`: the complete table, searches without weight sharing only. Time is in
#   stand-alone trainings.
#
# The tables: {glue:md}`regret-source`.
#
# Without weight sharing, {glue:md}`regret-runs` runs of each search train up to
# {glue:md}`regret-evaluations` cells. With it, {glue:md}`regret-guided` searches share out the 1,000
# cells of a supernet, so that no two have a cell in common; each evaluates its 200 by proxy and
# trains them from the best down. They still share a supernet: intervals are over supernets, after
# averaging the searches of each. Regret, search and budget are defined on
# {doc}`the page of definitions <../definitions>`.
#
# **Costs.** As in the paper, a supernet costs {glue:md}`regret-supernet-cost` average stand-alone
# trainings of its space (432 epochs against 108), and three times that for AVG-3. A proxy accuracy
# costs one forward pass over the validation images, a third of a training step:
# {glue:md}`regret-forward-cost` of a training. For our own supernets there is a second account, by
# the images they saw.
#
# ## The authors' supernets
#
# The paper's 25 supernets a space are not published; five are, for each of six methods.
# {numref}`fig-effects` sets their effect sizes beside the printed ones.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-effects", "caption": "Cohen's d between random search without and with weight sharing (BNS-FT), one-shot. Printed: table 4, with the interval that 25 and 100 runs give. Ours: n published supernets, interval over supernets."}, "image": {"alt": "Points with bars for seven spaces, printed and recomputed effect sizes", "width": "700px"}}
if len(table4):
    figure = plots.effect_sizes(table4)
# %% tags=["remove-input", "remove-output"]
nb101_rows = comparisons.query("benchmark == 'nb101'") if len(table4) else comparisons.head(0)
shown = ["space", "supernets × searches", "regret without", "regret with", "difference"]
show_table(
    "oneshot-101",
    report.comparison_table(nb101_rows.query("method == @regret.BASELINE"))[
        [*shown, "P(with is better)", "trainings to match"]
    ],
    "NAS-Bench-101, BNS-FT: test regret, percent, of random search without and with weight sharing, "
    "one-shot. An asterisk is a supernet that failed. The last column: after how many trainings the "
    "mean regret without weight sharing is as low as with it.",
)
others = nb101_rows.query("method != @regret.BASELINE")
show_table(
    "oneshot-101-methods",
    report.comparison_table(others)
    .assign(method=others["method"])
    .pivot(index="space", columns="method", values="difference")
    .reindex(table4["space"] if len(table4) else [])
    .reset_index(),
    "NAS-Bench-101, the other methods of the paper's table 3, and our supernets as far as study 1 has "
    "them: the difference of regrets as above.",
)

# %% [markdown]
# ```{glue:md} oneshot-101
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-101", "caption": "Test regret over search time on NAS-Bench-101: mean over 100 runs without weight sharing, over supernets with it (BNS-FT); bands are 95% intervals."}, "image": {"alt": "Seven panels of falling curves, regret against time", "width": "800px"}}
curves = tables["curves"]
if len(table4):
    figure = plots.regret_curves(
        curves.query("benchmark == 'nb101'"), list(table4["space"]), regret.UNITS["nb101"]
    )

# %% [markdown]
# The paper searches with BNS-FT only. With the supernets of the other methods of its table 3, the
# same comparison gives:
#
# ```{glue:md} oneshot-101-methods
# :format: myst
# ```
#
# ## Our supernets on NAS-Bench-201
#
# Our reduced supernets are cheap: by the images they saw, training one and searching with it costs
# {glue:md}`regret-cost-201` stand-alone trainings in the full space. Random search has time for
# {glue:md}`regret-time-201` while such a search trains its pick. {numref}`tab-oneshot-201` has this account and the paper's ratio. By the first,
# what {glue:md}`regret-supernets-201` supernets pick in the full space is worth
# {glue:md}`regret-match-201` trainings of random search.

# %% tags=["remove-input", "remove-output"]
rows = comparisons.query("benchmark == 'nb201' and baseline == 'RS'")
show_table(
    "oneshot-201",
    report.comparison_table(rows).assign(charged=rows["charge"])[
        [shown[0], "charged", shown[1], "trainings without", *shown[2:]]
    ],
    "NAS-Bench-201, small supernets against random search: test regret, percent, one-shot, by two "
    "accounts of what a supernet costs. Trainings without: for which random search has the time.",
)

# %% [markdown]
# ```{glue:md} oneshot-201
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-201", "caption": "Test regret over search time on NAS-Bench-201, the full space and single masks; supernets charged as in the paper. Bands are 95% intervals, over supernets where weight sharing is used; none with one supernet."}, "image": {"alt": "Six panels of falling curves, regret against trainings", "width": "800px"}}
figure = plots.regret_curves(
    curves.query("benchmark == 'nb201'"),
    [str(space) for space in correlations.SINGLES],
    regret.UNITS["nb201"],
)

# %% [markdown]
# ## Greedy or random search
#
# Both without weight sharing. Greedy search explores one neighbourhood first;
# {numref}`tab-greedy-nb201` and {numref}`tab-greedy-macro` show when that pays.

# %% tags=["remove-input", "remove-output"]
searches = tables["searches"]
for benchmark, space in (("nb201", str(Subspace())), ("macro", "all networks")):
    rows = searches[(searches["benchmark"] == benchmark) & (searches["space"] == space)]
    if len(rows):
        show_table(
            f"greedy-{benchmark}",
            report.greedy_table(rows),
            f"Test regret, percent, after so many {regret.UNITS[benchmark]}: means over "
            f"{protocol.runs} runs, Welch's 95% interval of the difference.",
        )
    else:
        show_table(f"greedy-{benchmark}", rows, "The benchmark's table is not here.")

# %% [markdown]
# ```{glue:md} greedy-nb201
# :format: myst
# ```
#
# ```{glue:md} greedy-macro
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-macro", "caption": "Test regret over search time on NAS-Bench-Macro, without weight sharing."}, "image": {"alt": "Two falling curves, regret against trainings", "width": "400px"}}
if len(curves.query("benchmark == 'macro'")):
    figure = plots.regret_curves(
        curves.query("benchmark == 'macro'"), ["all networks"], regret.UNITS["macro"]
    )
# %% tags=["remove-input", "remove-output"]
show_table(
    "superiority",
    report.recomputed_table(
        tables["printed_superiority"],
        {
            "space": "space",
            "where": "where",
            "d": "printed d",
            "percent": "printed, %",
            "percent_low": "from",
            "percent_high": "to",
            "agrees": "agrees",
        },
    ),
    "How probable it is that a run with weight sharing is the better one: as printed, and as the "
    "printed d gives it, for every d that rounds to it.",
)
show_table(
    "design",
    report.recomputed_table(tables["printed_design"], {"question": "question", "value": "value"}),
    "What 25 runs against 100 can find, by the power of Student's two-sided t-test at the 5% level.",
)
show_table(
    "odd",
    report.recomputed_table(
        odd,
        {
            "table": "table",
            "space": "space",
            "column": "column",
            "d": "d",
            "p": "printed p",
            "p_low": "from",
            "p_high": "to",
        },
        digits=3,
    ),
    "Printed p-values that do not follow from the printed effect and 25 against 100 runs.",
)
show_table(
    "text",
    report.recomputed_table(
        tables["printed_text"],
        {
            "statement": "number",
            "where": "where",
            "printed": "printed",
            "how": "computed as",
            "computed": "computed",
            "agrees": "agrees",
        },
    ),
    "Numbers of the text, computed from its table 3 and the sizes of the spaces.",
)
show_table(
    "regret-verdicts",
    report.claims_table(claims),
    "The claims of Pourchot's section 5.2. A claim is supported if the whole interval lies "
    "where it must, contradicted if none of it does, else undecided; n counts supernets, runs, "
    "spaces or cells.",
)

# %% [markdown]
# ## What the paper prints, computed again
#
# Every d of tables 4 and 5 is its mean over its deviation, and of {glue:md}`regret-printed` p-values
# all but {glue:md}`regret-odd-p` follow from d and the numbers of runs:
#
# ```{glue:md} odd
# :format: myst
# ```
#
# The probabilities in the text are said to follow from d:
#
# ```{glue:md} superiority
# :format: myst
# ```
#
# Twenty-five runs are said to be enough for any effect of at least medium size (0.5) with a power of
# 0.8. Against 100 runs their power for it is {glue:md}`regret-power`; they find effects from
# {glue:md}`regret-detectable` on, and {glue:md}`regret-needed` would be needed. (Two groups of 25
# find {glue:md}`regret-equal`, a *large* effect: perhaps that was the question asked.) Five
# supernets of one search each, against 100 runs, find {glue:md}`regret-detectable-five`: *undecided*
# below is what such a number of supernets can be expected to give.
#
# ```{glue:md} design
# :format: myst
# ```
#
# ```{glue:md} text
# :format: myst
# ```
#
# ## Claim by claim
#
# ```{glue:md} regret-verdicts
# :format: myst
# ```
#
# ## What differs, and why
#
# - **Fewer supernets, smaller searches.** The paper's searches evaluate 10,000 cells by proxy with 25
#   supernets; what is published allows 200 cells a search with five. The pick of 200 cells is not
#   that of 10,000, and the budget is smaller, too.
# - **No greedy search with weight sharing**, and none without it on NAS-Bench-101: both need proxy
#   accuracies or benchmark entries of neighbours, which are not published.
# - **A sample of NAS-Bench-101.** The best cell of a space is the best of the sample. That moves all
#   regrets of a space alike, not their differences.
# - **Validation and test accuracies are means** of the benchmark's three runs; the paper does not
#   say whether its searches saw one run or the mean. The tables of NAS-Bench-201 and
#   NAS-Bench-Macro have one accuracy a cell: there, searches select by the test accuracy that is
#   reported.
# - **Time.** The paper measured the duration of each cell's training step on its own GPUs; we use
#   the benchmark's training seconds, and one training where there are none. A supernet's network is
#   narrower than the stand-alone ones; like the paper, we charge it as if it were not.
# - **Greedy search** evaluates a cell once, and neighbours in random order; the paper does not say.
# - **Our supernets of a subspace all evaluated the same 1,000 random cells**: intervals over them
#   say nothing about other candidates.
# - **A failed supernet** (constant predictions) is left out and marked, as in the paper's table 3.
#
# ## Run it yourself
#
# ```bash
# nasrepro study run regret --profile cpu --workers 2  # missing supernets of study 1, and statistics
# nasrepro study table regret comparisons              # every comparison as CSV
# nasrepro book run 03_regret -p profile=cpu           # this page
# ```
