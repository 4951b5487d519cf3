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
# **What the paper did.** Pourchot {cite:p}`pourchot2022` trained supernets on each of seven spaces
# made of NAS-Bench-101 {cite:p}`ying2019`, searched 25 times with their proxy accuracies, and
# compared test regrets with 100 runs of random and of greedy search, counting every cost. The
# comparison is *one-shot*: at the time when the one cell that a search with a supernet picks has
# been trained.

# %% tags=["parameters", "hide-input"]
profile = "cpu"  # smoke, cpu or paper: how the supernets of study 1 were computed
workers = 0  # local processes that compute missing runs; 0 shows what is stored
device = "cpu"  # for computing: cpu, cuda, mps

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from nasrepro import plots, report
from nasrepro.benchmarks import available_tables, macro, nb101, nb101_official, nb201
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import detectable_effect, effect_interval
from nasrepro.studies import appraisal, audit, comparison, correlations, regret, results

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
runs_201, whole_201 = set(regret.small_grid(profile)), set(regret.whole_grid(profile))
stored_201 = [record for record in plan.stored if record.config in runs_201]
stored_whole = [record for record in plan.stored if record.config in whole_201]
runs_macro = set(regret.macro_grid(profile))
stored_macro = [record for record in plan.stored if record.config in runs_macro]
others = runs_201 | whole_201 | runs_macro
stored_101 = [record for record in plan.stored if record.config not in others]
protocol = regret.PROTOCOLS[profile]
repeated, alike = regret.repeated_counts(plan.stored, profile)
base = correlations.PROFILES[profile].base
sizes = {min(config.cells.random, config.subspace.size) for config in runs_201}
NAMES = {
    "nb101": "NAS-Bench-101",
    nb101_official.NAME: "NAS-Bench-101",
    "nb201": "NAS-Bench-201",
    "macro": "NAS-Bench-Macro",
}
accuracy = {  # what is reported, of each benchmark
    "nb101": nb101.COLUMNS[1],
    nb101_official.NAME: nb101.COLUMNS[1],
    "nb201": next(c for c in nb201.CSV.values() if c.name == regret.COLUMN),
    "macro": macro.COLUMNS[0],
}
accuracy = {name: str(column).removesuffix(", percent") for name, column in accuracy.items()}
verdicts = claims["verdict"].value_counts()
runs = int(table4["supernets"].max()) if len(table4) else 0

# What is printed, computed again.
effects, texts = tables["printed_effects"], tables["printed_text"]
odd = effects[~effects["p_agrees"]]
design = tables["printed_design"]["value"].to_list()
superiority = tables["printed_superiority"]
a4 = superiority.set_index("space").loc["A_4"]
readings = texts.groupby("id")["agrees"].agg(["any", "all"])
greedy = audit.greedy_against_random()
precision = audit.precision(claims)
(printed_design,) = appraisal.published("design").itertuples()
around = effect_interval(0, printed_design.baseline, printed_design.guided)
small = claims["claim"][claims["claim"].str.startswith("effect-")].str.removeprefix("effect-")
small_d = effects[effects["space"].isin(small)].query("column == 'RS_bs - RS_ws'")

# Our supernets on NAS-Bench-201, by both accounts.
ours_201 = comparisons.query("benchmark == 'nb201' and baseline == 'RS'")
full = ours_201[ours_201["space"] == str(Subspace())].set_index("charge")
accounts = {"run": regret.AS_RUN, "paper": regret.AS_IN_PAPER}


def of_full(account, value):
    """A number of the full space of NAS-Bench-201, as text."""
    row = full.loc[account] if account in full.index else None
    return "–" if row is None or row["supernets"] == 0 else value(row)


def worth(benchmark):
    """How many trainings of random search match what searches by proxy pick, as text."""
    rows = comparisons.query("benchmark == @benchmark and charge == @regret.AS_IN_PAPER")
    rows = rows[(rows["baseline"] == "RS") & (rows["supernets"] > 0)]
    matched = [
        "more than were searched" if number != number else f"{number:.0f}"
        for number in rows["trainings_to_match"]
    ]
    texts = [
        f"{number} ({row.guided}, {row.space})"
        for number, row in zip(matched, rows.itertuples(), strict=True)
    ]
    return ", ".join(texts) or "–"


def beaten_by_largest(benchmark, method):
    """In how many spaces the largest cell is better than what supernets pick, as text."""
    rows = comparisons.query("benchmark == @benchmark and method == @method and baseline == 'RS'")
    picked = rows[rows["charge"] == regret.AS_IN_PAPER].set_index("space")["guided_regret"].dropna()
    if not len(picked) or not len(tables["size"]):
        return "–"
    largest = tables["size"].query("benchmark == @benchmark").set_index("space")["regret"]
    return f"{(largest[picked.index] < picked).sum()} of {len(picked)}"


def difference_of(row):
    """The difference of a comparison and its interval."""
    return report.with_interval(row["difference"], row["ci_low"], row["ci_high"])


numbers = {
    "profile": profile,
    "source": source,
    "runs": protocol.runs,
    "evaluations": f"{protocol.evaluations:,}",
    "guided": protocol.guided,
    "candidates": " or ".join(f"{size:,}" for size in sorted(sizes)),
    "evaluated": report.describe_cells(base.cells),
    "sample": nb101.COLUMNS[1].detail.partition("; ")[2],
    **{f"accuracy-{name}": text for name, text in accuracy.items()},
    "runs-stored": len(stored_201),
    "runs-total": len(runs_201),
    "nb101-stored": len(stored_101),
    "repeated": f"{repeated:,}",
    "alike": f"{alike:,}",
    "macro-stored": len(stored_macro),
    "macro-total": len(runs_macro),
    "macro-size": f"{protocol.macro.size:,}",
    "macro-share": f"{comparison.paper_trainings(protocol.macro.size):,}",
    "whole-stored": len(stored_whole),
    "whole-total": len(whole_201),
    "whole-space": protocol.whole,
    "whole-size": f"{protocol.whole.size:,}",
    "whole-share": f"{comparison.paper_trainings(protocol.whole.size):,}",
    "machine": f"NAS-Bench-201: {report.machine(stored_201 + stored_whole)}." if stored_201 else "",
    "macro-machine": f"NAS-Bench-Macro: {report.machine(stored_macro)}." if stored_macro else "",
    "nb101-machine": f"NAS-Bench-101: {report.machine(stored_101)}." if stored_101 else "",
    "claims": len(claims),
    **{name: int(verdicts.get(name, 0)) for name in ("supported", "contradicted", "undecided")},
    "not-run": int(verdicts.get("not run", 0)),
    "same-sign": int((table4["d"] * table4["printed_d"] > 0).sum()) if len(table4) else 0,
    "spaces": len(table4),
    "supernets": runs,
    "clear": int((table4["ci_low"] * table4["ci_high"] > 0).sum()) if len(table4) else 0,
    "outside": int((~table4["printed_d"].between(table4["d_low"], table4["d_high"])).sum())
    if len(table4)
    else 0,
    "d-agrees": int(effects["d_agrees"].sum()),
    "odd-p": len(odd),
    "printed": len(effects),
    "wins": len(superiority),
    "odd-wins": int((~superiority["agrees"]).sum()),
    "texts": len(readings),
    "texts-agree": int(readings["all"].sum()),
    "texts-reading": int((readings["any"] & ~readings["all"]).sum()),
    "texts-odd": int((~readings["any"]).sum()),
    "greedy-worst": f"{greedy.min():.2f}",
    "greedy-best": f"{greedy.max():.2f}",
    "greedy-worse": int((greedy < 0).sum()),
    "hopeless": int((precision["room"] < 0).sum()),
    "about-zero": len(precision),
    "around": f"{around.high:.2f}",
    "small-d": len(small_d),
    "small-d-undecided": int((~(small_d["ci_low"].gt(-0.5) & small_d["ci_high"].lt(0.5))).sum()),
    "power": f"{design[0]:.2f}",
    "detectable": f"{design[1]:.2f}",
    "needed": f"{design[2]:.0f}",
    "equal": f"{design[3]:.2f}",
    "detectable-here": f"{detectable_effect(runs, protocol.runs):.2f}" if runs > 1 else "–",
    "printed-a4": f"{a4['percent']}%",
    "computed-a4": f"{a4['percent_low']:.0f}%",
    "spaces-201": ours_201["space"].nunique(),
    "supernets-201": int(full["supernets"].max()) if len(full) else 0,
    "cost-201": of_full(regret.AS_RUN, lambda row: f"{row['budget'] - 1:.2f}"),
    "match-201": of_full(regret.AS_RUN, lambda row: f"{row['trainings_to_match']:.0f}"),
    "pixels": base.data.size or 32,
    "cells-a-stage": correlations.PROFILES[profile].nets["S"].cells_per_stage,
    "supernet-cost": f"{comparison.SUPERNET:.0f}",
    "forward-cost": f"1/{1 / comparison.EVALUATION:.0f}",
    "one-shot": comparison.ONE_SHOT,
}
numbers["largest-101"] = beaten_by_largest("nb101", regret.BASELINE)
numbers["largest-201"] = beaten_by_largest("nb201", "S")
numbers["worth-201"], numbers["worth-macro"] = worth(regret.NB201_WHOLE), worth(regret.MACRO_WHOLE)
for name, account in accounts.items():
    rows = ours_201[ours_201["charge"] == account]
    numbers[f"better-{name}"] = int((rows["ci_low"] > 0).sum())
    numbers[f"worse-{name}"] = int((rows["ci_high"] < 0).sum())
    numbers[f"difference-{name}"] = of_full(account, difference_of)
    numbers[f"time-{name}"] = of_full(account, lambda row: f"{row['baseline_trainings']:.0f}")
for name, value in numbers.items():
    glue(f"regret-{name}", Markdown(str(value)), display=False)

# %% [markdown]
# **In short.**
#
# - Of {glue:md}`regret-claims` claims, {glue:md}`regret-supported` are supported here,
#   {glue:md}`regret-contradicted` contradicted, {glue:md}`regret-undecided` undecided and
#   {glue:md}`regret-not-run` not run ({numref}`tab-regret-verdicts`).
# - With the **authors' published supernets**, on which claims about supernets are judged, the effect
#   has the sign that the paper prints in {glue:md}`regret-same-sign` of {glue:md}`regret-spaces`
#   spaces. Its interval lies clear of zero in {glue:md}`regret-clear` of them, and leaves out the
#   printed effect in {glue:md}`regret-outside` ({numref}`fig-effects`).
# - **Our supernets** on NAS-Bench-201 win or lose by how they are charged. By the images they saw,
#   they do better than random search in {glue:md}`regret-better-run` of
#   {glue:md}`regret-spaces-201` subspaces and worse in {glue:md}`regret-worse-run`; with the paper's
#   ratio, better in {glue:md}`regret-better-paper` and worse in {glue:md}`regret-worse-paper`
#   (intervals clear of zero; {numref}`tab-oneshot-201`).
# - **Asked for any cell**, supernets guide random (RS) and greedy search (GS). What these pick is as
#   good as the best of so many trainings at random: {glue:md}`regret-worth-201` on NAS-Bench-201,
#   {glue:md}`regret-worth-macro` on NAS-Bench-Macro
#   ({numref}`tab-nb201-whole`, {numref}`tab-macro-whole`).
# - **No search at all**: the cell with the most parameters of a space, trained alone, is better than
#   the mean pick of the authors' supernets in {glue:md}`regret-largest-101` spaces of NAS-Bench-101,
#   of ours in {glue:md}`regret-largest-201` of NAS-Bench-201 (bare means; {numref}`tab-largest`).
# - **What the paper prints**, computed again: all but {glue:md}`regret-odd-p` of
#   {glue:md}`regret-printed` p-values follow from the printed effects, but
#   {glue:md}`regret-odd-wins` of {glue:md}`regret-wins` probabilities do not. Weight sharing is said
#   to win only {glue:md}`regret-printed-a4` of the time on A_4; the printed effect makes it
#   {glue:md}`regret-computed-a4` ({numref}`tab-superiority`).
#
# ## How we ran it
#
# - **NAS-Bench-101**: {glue:md}`regret-sample`. With them the authors' own supernets, each with the
#   proxy accuracies of 1,000 cells drawn at random from its space; and apart from them
#   {glue:md}`regret-nb101-stored` of our own, from study 1. Regrets are in
#   percent of {glue:md}`regret-accuracy-nb101`. Time is in seconds of training, as the benchmark measured them.
# - **NAS-Bench-201** {cite:p}`dong2020`: the complete table and the small supernets of study 1,
#   profile {glue:md}`regret-profile` ({glue:md}`regret-runs-stored` of {glue:md}`regret-runs-total`
#   stored). Cells that each evaluated: {glue:md}`regret-evaluated`. Candidates are the
#   {glue:md}`regret-candidates` of the random sample alone; a cell of the top is one only if it was
#   drawn, too. {glue:md}`regret-whole-stored` of {glue:md}`regret-whole-total` more supernets, trained
#   in the same way, evaluated all {glue:md}`regret-whole-size` cells of one space
#   ({glue:md}`regret-whole-space`). Of {glue:md}`regret-repeated` proxy accuracies that study 1's
#   supernets of the same seeds have as well, {glue:md}`regret-alike` are the same to the image.
#   Regrets are in percent of {glue:md}`regret-accuracy-nb201`. Time is in stand-alone trainings.
# - **NAS-Bench-Macro** {cite:p}`su2021`: the complete table, and {glue:md}`regret-macro-stored` of
#   {glue:md}`regret-macro-total` supernets that evaluated {glue:md}`regret-macro-size` networks
#   ({numref}`tab-macro-settings`). Regrets are in percent of {glue:md}`regret-accuracy-macro`. Time
#   is in stand-alone trainings.
#
# NAS-Bench-201's and NAS-Bench-Macro's tables have one accuracy a cell: there, all searches select by
# the test accuracy that they report.
#
# The tables: {glue:md}`regret-source`. Our supernets of NAS-Bench-101 and NAS-Bench-201 are those of
# {doc}`study 1 <01_correlations>`, where their settings stand. {glue:md}`regret-machine`
# {glue:md}`regret-nb101-machine` {glue:md}`regret-macro-machine`
#
# Without weight sharing, {glue:md}`regret-runs` runs of each search train up to
# {glue:md}`regret-evaluations` cells, or all there are. With it, {glue:md}`regret-guided` searches
# share out the candidates of a supernet evenly, so that no two have a cell in common; each evaluates
# its share by proxy and trains it from the best down. They still share a supernet: intervals are over
# supernets, after averaging the searches of each. Regret, search and budget are defined on
# {doc}`the page of definitions <../definitions>`.
#
# **Costs.** As in the paper, a supernet costs {glue:md}`regret-supernet-cost` average stand-alone
# trainings of its space (432 epochs against 108), and three times that for AVG-3. A proxy accuracy
# costs one forward pass over the validation images, a third of a training step:
# {glue:md}`regret-forward-cost` of a training. For our own supernets on NAS-Bench-201 and
# NAS-Bench-Macro there is a second account, by the number of images they saw. It counts images and
# not their size: ours had {glue:md}`regret-pixels` pixels a side, the benchmarks' 32, and on
# NAS-Bench-201 the supernets {glue:md}`regret-cells-a-stage` cell(s) a stage, the benchmark's
# networks five, so that ours are still charged too much.
#
# **Methods**, as the paper calls them: *NO FT* evaluates a cell with the batch-normalisation
# statistics of the supernet, all others with those of one mini-batch passed through the cell itself
# (*BNS-FT*, which is the paper's search). *AVG-3* averages the gradients of three cells in each
# update; *PRO-RATA* draws cells in proportion to their parameters; *SINGLE-K* cuts the 1x1 kernels
# out of the 3x3 ones; *S-K + P-R* does both of the last two.
#
# ## The authors' supernets
#
# The paper does not say how many supernets its 25 runs share. Five a space are published, for each of
# six methods. {numref}`fig-effects` sets their effect sizes beside the printed ones,
# {numref}`tab-effects-101` has them in the form of the paper's table 4.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-effects", "caption": "Cohen's d between random search without and with weight sharing (BNS-FT), one-shot; test accuracy after 108 epochs, mean of three runs. Printed: table 4, with the interval by the noncentral t distribution for 25 and 100 runs. Recomputed: from n published supernets, with Welch's interval of the difference over supernets, divided by the pooled deviation."}, "image": {"alt": "Points with bars for seven spaces, printed and recomputed effect sizes", "width": "700px"}}
if len(table4):
    figure = plots.effect_sizes(table4)
# %% tags=["remove-input", "remove-output"]
nb101_rows = comparisons.query("benchmark == 'nb101'") if len(table4) else comparisons.head(0)
shown = ["space", "supernets × searches", "regret without", "regret with", "difference"]
regrets = "One-shot test regret, percent of {accuracy}; means, and Welch's 95% interval of the difference "
regrets += "over runs and supernets. Above zero, weight sharing found better cells. "
to_match = (
    "Trainings to match: after how many the mean regret of random search is as low as that of the "
    "first cell that a supernet picks. "
)
failed = "An asterisk is a supernet that failed (it diverged, or predicts a constant)."
show_table(
    "oneshot-101",
    report.comparison_table(nb101_rows.query("method == @regret.BASELINE"))[
        [*shown, "trainings to match"]
    ],
    f"NAS-Bench-101, random search without and with weight sharing (BNS-FT). "
    f"{regrets.format(accuracy=accuracy['nb101'])}{to_match}{failed}",
)
others = nb101_rows.query("method != @regret.BASELINE")
columns = {"difference": "mean", "supernets": "n"}
show_table(
    "oneshot-101-methods",
    report.table3_grid(others.rename(columns=columns), report.with_count)
    if len(others)
    else others[["space"]],
    "NAS-Bench-101, the other methods of the paper's table 3, and our supernets as far as study 1 has "
    f"them: the difference of regrets as above, its interval, n supernets. {failed}",
)
effects_caption = (
    "Regret of random search (RS) or greedy search (GS) less that of a search with weight sharing "
    "(ws), percent, one-shot, ± the pooled deviation of single runs; n supernets, "
    f"{protocol.guided} searches each, against {protocol.runs} runs. Cohen's d with two 95% "
    "intervals: by the noncentral t distribution and as if searches with one supernet were "
    "independent (so is Student's p, the paper's); and by a bootstrap that resamples runs, and "
    "supernets whole, which is too narrow for few. Welch's p is of runs and supernet means. P: share "
    "of pairs of runs in which the one with weight sharing has the smaller regret."
)
show_table(
    "effects-101",
    report.effects_table(nb101_rows.query("method == @regret.BASELINE and supernets > 0")),
    f"Table 4 in our own numbers, NAS-Bench-101 (BNS-FT). {effects_caption}",
)

# %% [markdown]
# ```{glue:md} oneshot-101
# :format: myst
# ```
#
# ```{glue:md} effects-101
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-101", "caption": "Test regret over search time on NAS-Bench-101 (test accuracy after 108 epochs, mean of three runs): mean over the runs without weight sharing, over supernets with it (BNS-FT). Bands are 95% intervals of these means, Student's."}, "image": {"alt": "Seven panels of falling curves, regret against time", "width": "800px"}}
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
# {glue:md}`regret-time-run` while such a search trains its pick, and its regret less that of the pick
# is {glue:md}`regret-difference-run` percent. Charged as in the paper, it has time for
# {glue:md}`regret-time-paper`, and the same difference is {glue:md}`regret-difference-paper`
# ({numref}`tab-oneshot-201`; below zero, weight sharing is worse). Without any account: what
# {glue:md}`regret-supernets-201` supernets pick in the full space is worth
# {glue:md}`regret-match-201` trainings of random search. All searches select here by the test accuracy
# that they report. {numref}`tab-effects-201` has effect sizes, against greedy search, too.

# %% tags=["remove-input", "remove-output"]
show_table(
    "oneshot-201",
    report.comparison_table(ours_201).assign(charged=ours_201["charge"])[
        [shown[0], "charged", shown[1], "trainings without", *shown[2:]]
    ],
    "NAS-Bench-201, small supernets against random search, by two accounts of what a supernet costs. "
    f"{regrets.format(accuracy=accuracy['nb201'])}Trainings without: for which random search has the "
    f"time. {failed}",
)
charged = comparisons.query("benchmark == 'nb201' and charge == @regret.AS_IN_PAPER")
show_table(
    "effects-201",
    report.effects_table(charged.query("supernets > 0")),
    "Tables 4 and 5 in our own numbers, NAS-Bench-201, supernets charged as in the paper. "
    f"{effects_caption}",
)

# %% [markdown]
# ```{glue:md} oneshot-201
# :format: myst
# ```
#
# ```{glue:md} effects-201
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-201", "caption": "Test regret over search time on NAS-Bench-201 (CIFAR-10 test accuracy after 200 epochs), the full space and single masks; supernets charged as in the paper. Mean over runs, and over supernets where weight sharing is used, with their 95% intervals (Student's); no band with one supernet."}, "image": {"alt": "Six panels of falling curves, regret against trainings", "width": "800px"}}
figure = plots.regret_curves(
    curves.query("benchmark == 'nb201'"),
    [str(space) for space in correlations.SINGLES],
    regret.UNITS["nb201"],
)

# %% [markdown]
# ## Supernets that can be asked for any cell
#
# Greedy search asks for neighbours. With each supernet that evaluated all cells,
# {glue:md}`regret-guided` random (RS) and as many greedy searches (GS) evaluate by proxy as large a
# share of the space as the paper's 10,000 cells are of NAS-Bench-101 ({glue:md}`regret-whole-share`
# of NAS-Bench-201's, {glue:md}`regret-macro-share` of NAS-Bench-Macro's), or
# {glue:md}`regret-evaluations` cells, at most all. Other than above, the searches of a supernet may
# meet the same cells. {numref}`tab-nb201-whole` and {numref}`tab-macro-whole` have their regrets,
# {numref}`tab-effects-nb201-whole` and {numref}`tab-effects-macro-whole` the four columns of the
# paper's tables 4 and 5. All searches select by the test accuracy that they report. {numref}`tab-whole`
# says how well these supernets rank.

# %% tags=["remove-input", "remove-output"]
show_table(
    "macro-settings",
    report.describe_runs([regret.MACRO[profile]], {"supernet": regret.MACRO[profile].net}),
    "How the supernets of NAS-Bench-Macro were trained and evaluated.",
)
whole = tables["whole"]
show_table(
    "whole",
    report.whole_table(whole.assign(space=whole["benchmark"].map(NAMES) + ", " + whole["space"]))
    if len(whole)
    else whole,
    "How all cells of a space are ranked: Spearman correlation of proxy accuracy (mean and Student's "
    "95% interval over n supernets), and of the number of parameters and of floating-point "
    "operations (FLOPs; for NAS-Bench-Macro alone), with the accuracy that the searches "
    f"report. {failed}",
)
heads = {"space": "evaluated", "with": "search"}
for benchmark in (regret.NB201_WHOLE, regret.MACRO_WHOLE):
    searched = benchmark.removesuffix("-whole")
    name = NAMES[searched]
    rows = comparisons[comparisons["benchmark"] == benchmark]
    against_rs = rows[rows["baseline"] == "RS"]
    show_table(
        benchmark,
        report.comparison_table(against_rs)
        .assign(charged=against_rs["charge"])[
            ["space", "charged", "with", shown[1], "trainings without", *shown[2:]]
        ]
        .rename(columns=heads),
        f"{name}, random and greedy search with supernets that evaluated every cell, against random "
        "search without, by two accounts of what a supernet costs. "
        f"{regrets.format(accuracy=accuracy[searched])}{failed}",
    )
    in_paper = rows[(rows["charge"] == regret.AS_IN_PAPER) & (rows["supernets"] > 0)]
    show_table(
        f"effects-{benchmark}",
        report.effects_table(in_paper).rename(columns=heads),
        f"All columns of tables 4 and 5 in our own numbers, {name}, supernets charged as in the "
        f"paper. {effects_caption}",
    )

# %% [markdown]
# ```{glue:md} whole
# :format: myst
# ```
#
# ```{glue:md} nb201-whole
# :format: myst
# ```
#
# ```{glue:md} effects-nb201-whole
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-nb201-whole", "caption": "Test regret over search time on NAS-Bench-201 (CIFAR-10 test accuracy after 200 epochs), with supernets that evaluated every cell, charged as in the paper. Mean over runs, and over supernets where weight sharing is used, with their 95% intervals (Student's)."}, "image": {"alt": "Panels of four falling curves, regret against trainings", "width": "600px"}}
rows = curves[curves["benchmark"] == regret.NB201_WHOLE]
if len(rows):
    figure = plots.regret_curves(rows, list(rows["space"].unique()), regret.UNITS["nb201"])

# %% [markdown]
# ```{glue:md} macro-whole
# :format: myst
# ```
#
# ```{glue:md} effects-macro-whole
# :format: myst
# ```
#
# ```{glue:md} macro-settings
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-macro-whole", "caption": "Test regret over search time on NAS-Bench-Macro (test accuracy after 50 epochs), with supernets that evaluated every network, charged as in the paper. Mean over runs, and over supernets where weight sharing is used, with their 95% intervals (Student's)."}, "image": {"alt": "Panels of four falling curves, regret against trainings", "width": "600px"}}
rows = curves[curves["benchmark"] == regret.MACRO_WHOLE]
if len(rows):
    figure = plots.regret_curves(rows, list(rows["space"].unique()), regret.UNITS["macro"])

# %% [markdown]
# ## No search at all
#
# Whoever trains the network with the most parameters needs neither a supernet nor a search.
# {numref}`tab-largest` has the regret of that. It is lower than the mean regret of what supernets pick
# in {glue:md}`regret-largest-101` spaces of NAS-Bench-101 (the authors' supernets, BNS-FT) and in
# {glue:md}`regret-largest-201` of NAS-Bench-201 (ours, of those that evaluated a sample): bare means,
# with no interval for their difference.

# %% tags=["remove-input", "remove-output"]
show_table(
    "largest",
    report.recomputed_table(
        tables["size"].assign(benchmark=lambda frame: frame["benchmark"].map(NAMES)),
        {
            "benchmark": "benchmark",
            "space": "space",
            "cells": "cells",
            "regret": "test regret",
            "parameters": "Spearman of the count",
        },
    )
    if len(tables["size"])
    else tables["size"],
    "Test regret, percent, of the cell with the most parameters in its space (of several, the mean), "
    "trained alone; and how the parameter count ranks all cells of the space. Test accuracies as "
    "reported by the searches; of NAS-Bench-101, of the cells in the sample.",
)

# %% [markdown]
# ```{glue:md} largest
# :format: myst
# ```
#
# ## Greedy or random search
#
# Both without weight sharing. Greedy search explores one neighbourhood first;
# {numref}`tab-greedy-nb201` and {numref}`tab-greedy-macro` show when that pays; there, both searches
# select by the test accuracy that they report. Greedy search on NAS-Bench-101 asks for cells that the
# sample lacks, and so for the benchmark's official file ({numref}`tab-greedy-nb101-official`).
#
# In the paper's spaces it does not pay in the time of a one-shot search: the left column of its table
# 4 less that of its table 5 is the regret of random less that of greedy search, below zero in
# {glue:md}`regret-greedy-worse` of seven spaces, {glue:md}`regret-greedy-worst` to
# {glue:md}`regret-greedy-best`. Here that time is {glue:md}`regret-one-shot` trainings: a supernet,
# 10,000 evaluations and the pick, as the paper charges them.

# %% tags=["remove-input", "remove-output"]
searches = tables["searches"]
for benchmark, space in regret.WHOLE:
    rows = searches[(searches["benchmark"] == benchmark) & (searches["space"] == space)]
    there = "" if len(rows) else f" The table {benchmark} is not here."
    show_table(
        f"greedy-{benchmark}",
        report.greedy_table(rows),
        f"{NAMES[benchmark]}, {space}. Test regret, percent of {accuracy[benchmark]}, after so many "
        f"{regret.UNITS[benchmark]}: means over {protocol.runs} runs of each search, Welch's 95% "
        f"interval of the difference.{there}",
    )

# %% [markdown]
# ```{glue:md} greedy-nb101-official
# :format: myst
# ```
#
# ```{glue:md} greedy-nb201
# :format: myst
# ```
#
# ```{glue:md} greedy-macro
# :format: myst
# ```

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curves-macro", "caption": "Test regret over search time on NAS-Bench-Macro (test accuracy after 50 epochs), without weight sharing: mean over runs with its 95% interval (Student's)."}, "image": {"alt": "Two falling curves, regret against trainings", "width": "400px"}}
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
    report.claims_table(claims, "the authors' supernets, or searches of complete tables"),
    "The claims of Pourchot's section 5.2. A claim is supported if the whole interval lies "
    "where it must, contradicted if none of it does, else undecided; n counts supernets, runs of "
    "each search, or spaces. Intervals are Welch's, that of d divided by the pooled deviation; that "
    "of the correlation is Fisher's.",
)
show_table(
    "precision",
    report.recomputed_table(
        precision,
        {
            "quantity": "quantity",
            "holds if": "the claim holds if",
            "n": "n",
            "half": "half width of the interval",
            "room": "room",
        },
    ),
    "Claims that something is small. Half width: of the interval in the table above, of the "
    "correlation of that around zero. Room: how far from zero an estimate with such an interval may "
    "lie for the claim to be supported; below zero, it never is.",
)

# %% [markdown]
# ## What the paper prints, computed again
#
# Of {glue:md}`regret-printed` effects in tables 4 and 5, {glue:md}`regret-d-agrees` are their mean over
# their deviation. Of as many p-values, all but {glue:md}`regret-odd-p` follow from d and the numbers of
# runs:
#
# ```{glue:md} odd
# :format: myst
# ```
#
# The {glue:md}`regret-wins` probabilities in the text are said to follow from d;
# all but {glue:md}`regret-odd-wins` do:
#
# ```{glue:md} superiority
# :format: myst
# ```
#
# Twenty-five runs are said to be enough for any effect of at least medium size (0.5) with a power of
# 0.8. Against 100 runs their power for it is {glue:md}`regret-power`; they find effects from
# {glue:md}`regret-detectable` on, and {glue:md}`regret-needed` would be needed. (Two groups of 25
# find {glue:md}`regret-equal`, a *large* effect: perhaps that was the question asked.)
# {glue:md}`regret-supernets` supernets of one search each, against {glue:md}`regret-runs` runs, find
# {glue:md}`regret-detectable-here`.
#
# ```{glue:md} design
# :format: myst
# ```
#
# Of {glue:md}`regret-texts` other numbers of the text, {glue:md}`regret-texts-agree` follow from the
# paper's table 3 and the sizes of the spaces, {glue:md}`regret-texts-reading` in one of two readings,
# and {glue:md}`regret-texts-odd` in none:
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
# *Undecided* has two reasons here. Where a claim gives a sign, more supernets would decide it. Where it
# says that something is small, its whole interval has to be: of {glue:md}`regret-about-zero` such
# claims, {glue:md}`regret-hopeless` cannot come out as supported with the n there is, wherever the
# estimate lies ({numref}`tab-precision`), and the others only with an estimate close to zero. The
# paper's own 25 runs against 100 give ±{glue:md}`regret-around` around an effect of zero; by this rule,
# its printed effects in these spaces would be undecided in {glue:md}`regret-small-d-undecided` of
# {glue:md}`regret-small-d`.
#
# ```{glue:md} precision
# :format: myst
# ```
#
# ## What differs, and why
#
# - **Fewer supernets, smaller searches.** The paper's searches evaluate 10,000 cells by proxy; of the
#   supernets here, published or ours, only those that evaluated all of a space allow as many. The
#   others evaluated 1,000 at most, which {glue:md}`regret-guided` searches share. The pick of so few
#   is not that of 10,000, and the budget is smaller, too.
# - **Greedy search with weight sharing** asks for proxy accuracies of neighbours, and so for
#   supernets that evaluated all cells: ours of two spaces. The authors published a random sample. On
#   NAS-Bench-101 greedy search without weight sharing is missing, too: the sample does not have all
#   neighbours.
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
# - **Our supernets of a subspace all evaluated the same random cells**, but for those that evaluated
#   all: intervals over them say nothing about other candidates.
# - **A failed supernet** (diverged, or constant predictions) is left out and marked, as in the paper's
#   table 3.
#
# ## Run it yourself
#
# ```bash
# .venv/bin/nasrepro study run regret --profile cpu --workers 2  # missing supernets, and statistics
# .venv/bin/nasrepro study table regret comparisons              # every comparison as CSV
# .venv/bin/nasrepro book run 03_regret -p profile=cpu           # this page
# ```
