"""Makes the reference numbers that the tests compare with: `make golden`.

Inputs and results are kept together, so that the tests need neither Python nor a network.
Versions are pinned in requirements.txt beside this file.
"""

import json
import math
import os
import sys
import warnings

import numpy as np
import pandas as pd
import scipy.stats as st
from scipy.spatial.distance import jensenshannon

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, value):
    path = os.path.join(HERE, name)
    with open(path, "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")
    print(name, os.path.getsize(path), "bytes")


def finite(x):
    x = float(x)
    return x if math.isfinite(x) else str(x)


def samples():
    rng = np.random.default_rng(42)
    a, b = rng.normal(0, 1, 1000), rng.normal(0.3, 1.2, 800)
    ca = rng.choice(list("abcd"), 1000, p=[0.4, 0.3, 0.2, 0.1])
    cb = rng.choice(list("abce"), 800, p=[0.3, 0.3, 0.3, 0.1])
    rng = np.random.default_rng(7)
    numeric = {
        "normal": (a, b),
        "same": (rng.normal(0, 1, 400), rng.normal(0, 1, 300)),
        "ties": (rng.integers(0, 6, 300).astype(float), rng.integers(0, 7, 250).astype(float)),
        "lognormal": (rng.lognormal(0, 1, 600), rng.lognormal(0.1, 1.1, 600)),
        "small": (rng.normal(0, 1, 7), rng.normal(1, 1, 12)),
        "outlier": (np.append(rng.lognormal(0, 1, 1000), 1e6), rng.lognormal(0.8, 1, 1000)),
    }
    text = {
        "letters": (ca, cb),
        "flags": (rng.choice(["n", "y"], 120, p=[0.8, 0.2]), rng.choice(["n", "y"], 90, p=[0.7, 0.3])),
        "cities": (rng.choice(list("abcdefgh"), 500), rng.choice(list("abcdefgh"), 400)),
    }
    return numeric, text


def decile_psi(a, b):
    """Deciles of the reference, a value on a cut below it, an empty bin as half a row."""
    cuts = np.unique(np.percentile(a, np.arange(10, 100, 10)))
    counts = [np.bincount(np.searchsorted(cuts, x, side="left"), minlength=len(cuts) + 1) for x in (a, b)]
    keep = (counts[0] + counts[1]) > 0
    p, q = [np.where(c[keep] == 0, 0.5, c[keep]) / c.sum() for c in counts]
    return float(np.sum((p - q) * np.log(p / q)))


def scipy_numeric(a, b):
    ks = st.ks_2samp(a, b)
    ks_asymptotic = st.ks_2samp(a, b, method="asymp")
    cvm = st.cramervonmises_2samp(a, b, method="asymptotic")
    ad = st.anderson_ksamp([a, b])
    mwu = st.mannwhitneyu(a, b, alternative="two-sided")
    t = st.ttest_ind(a, b, equal_var=False)
    levene = st.levene(a, b)
    return {
        "kolmogorov_smirnov": [ks.statistic, ks.pvalue],
        "kolmogorov_smirnov_asymptotic": [ks_asymptotic.statistic, ks_asymptotic.pvalue],
        "wasserstein": [st.wasserstein_distance(a, b), None],
        "wasserstein_normed": [st.wasserstein_distance(a, b) / max(np.std(a), 0.001), None],
        "cramer_von_mises": [cvm.statistic, cvm.pvalue],
        "anderson_darling": [ad.statistic, ad.pvalue],
        "energy": [st.energy_distance(a, b), None],
        "mann_whitney": [mwu.statistic, mwu.pvalue],
        "welch_t": [t.statistic, t.pvalue],
        "levene": [levene.statistic, levene.pvalue],
        "psi": [decile_psi(a, b), None],
    }


def evidently_numbers(a, b, kind):
    from evidently.legacy.calculations import stattests as tests
    from evidently.legacy.core import ColumnType

    feature = ColumnType.Numerical if kind == "num" else ColumnType.Categorical
    names = {
        "psi_joint": "psi_stat_test",
        "jensen_shannon_joint": "jensenshannon_stat_test",
        "kullback_leibler_joint": "kl_div_stat_test",
        "hellinger_joint": "hellinger_stat_test",
    }
    out = {}
    for ours, theirs in names.items():
        test = getattr(tests, theirs)
        result = test(pd.Series(a), pd.Series(b), feature, 0.1)
        out[ours] = [finite(result.drift_score), None]
    return out


def nannyml_numbers(a, b, kind):
    from nannyml.drift.univariate import methods as m

    out = {}
    from nannyml.chunk import DefaultChunker
    from nannyml.thresholds import StandardDeviationThreshold

    chunker, threshold = DefaultChunker(), StandardDeviationThreshold()
    if kind == "num":
        classes = {
            "jensen_shannon_doane": m.ContinuousJensenShannonDistance,
            "hellinger_doane": m.ContinuousHellingerDistance,
            "kolmogorov_smirnov": m.KolmogorovSmirnovStatistic,
            "wasserstein": m.WassersteinDistance,
        }
    else:
        classes = {
            "jensen_shannon": m.CategoricalJensenShannonDistance,
            "hellinger": m.CategoricalHellingerDistance,
            "l_infinity": m.LInfinityDistance,
            "chi_square": m.Chi2Statistic,
        }
    for ours, cls in classes.items():
        method = cls(chunker=chunker, threshold=threshold)
        a_series, b_series = pd.Series(a, name="x"), pd.Series(b, name="x")
        method._fit(a_series)
        out[ours] = [finite(method._calculate(b_series)), None]
    return out


def scipy_text(a, b):
    names = sorted(set(a) | set(b))
    table = np.array([[np.sum(a == n) for n in names], [np.sum(b == n) for n in names]])
    chi = st.chi2_contingency(table)
    g = st.chi2_contingency(table, lambda_="log-likelihood", correction=False)
    p, q = table[0] / table[0].sum(), table[1] / table[1].sum()
    out = {
        "chi_square": [chi.statistic, chi.pvalue],
        "g_test": [g.statistic, g.pvalue],
        "total_variation": [0.5 * np.abs(p - q).sum(), None],
        "l_infinity": [np.abs(p - q).max(), None],
        "jensen_shannon": [jensenshannon(p, q, base=2), None],
        "jensen_shannon_divergence": [jensenshannon(p, q, base=2) ** 2, None],
    }
    if len(names) == 2:
        fisher = st.fisher_exact(table)
        pooled = table[:, 0].sum() / table.sum()
        n, m = table.sum(axis=1)
        z = (p[0] - q[0]) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        out["fisher_exact"] = [fisher.statistic, fisher.pvalue]
        out["proportions_z"] = [z, 2 * st.norm.sf(abs(z))]
    return out


def univariate():
    numeric, text = samples()
    cases = []
    for name, (a, b) in numeric.items():
        cases.append({
            "name": name, "kind": "numeric", "reference": list(map(float, a)), "current": list(map(float, b)),
            "scipy": {k: [None if x is None else finite(x) for x in v] for k, v in scipy_numeric(a, b).items()},
            "evidently": evidently_numbers(a, b, "num"),
            "nannyml": nannyml_numbers(a, b, "num"),
        })
    for name, (a, b) in text.items():
        cases.append({
            "name": name, "kind": "categorical", "reference": list(map(str, a)), "current": list(map(str, b)),
            "scipy": {k: [None if x is None else finite(x) for x in v] for k, v in scipy_text(a, b).items()},
            "evidently": evidently_numbers(a, b, "cat"),
            "nannyml": nannyml_numbers(a, b, "cat"),
        })
    kstwo = [[n, x, finite(st.kstwo.sf(x, n))] for n in (5, 10, 50, 100, 140, 141, 444, 1000, 5000, 50000, 200000)
             for x in (0.8 / math.sqrt(n), 1.0 / math.sqrt(n), 1.3 / math.sqrt(n), 1.6 / math.sqrt(n), 2.2 / math.sqrt(n), 3.5 / math.sqrt(n))
             if x < 1]
    write("univariate.json", {"cases": cases, "kstwo": kstwo})


SECTIONS = {"univariate": univariate}

if __name__ == "__main__":
    for section in sys.argv[1:] or SECTIONS:
        SECTIONS[section]()
