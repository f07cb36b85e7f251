"""Makes the reference numbers that the tests compare with: `make golden`.

Inputs and results are kept together, so that the tests need neither Python nor a network.
Versions are pinned in requirements.txt beside this file. Two runs write the same bytes: Evidently adds
over sets of strings, whose order Python draws anew for every process, and sums of several threads come
together in any order, so both are fixed before anything is imported.
"""

import json
import math
import os
import sys
import warnings

FIXED = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
if __name__ == "__main__" and any(os.environ.get(name) != value for name, value in FIXED.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **FIXED})

import numpy as np
import pandas as pd
import scipy.stats as st
from scipy.spatial.distance import jensenshannon

warnings.filterwarnings("ignore")
# NannyML reports its use to its maker unless told otherwise.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
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


def performance():
    import sklearn.metrics as sk

    rng = np.random.default_rng(3)
    n = 500
    y = rng.integers(0, 2, n)
    score = np.clip(np.round(0.3 * y + rng.normal(0.4, 0.25, n), 2), 0.01, 0.99)
    decision = (score >= 0.5).astype(int)
    tn, fp, fn, tp = sk.confusion_matrix(y, decision).ravel()
    binary = {
        "labels": y.tolist(), "scores": score.tolist(),
        "expected": {
            "precision": sk.precision_score(y, decision), "recall": sk.recall_score(y, decision),
            "specificity": tn / (tn + fp), "f1": sk.f1_score(y, decision),
            "accuracy": sk.accuracy_score(y, decision), "mcc": sk.matthews_corrcoef(y, decision),
            "auroc": sk.roc_auc_score(y, score), "average_precision": sk.average_precision_score(y, score),
            "log_loss": sk.log_loss(y, score), "brier": sk.brier_score_loss(y, score),
        },
        "thresholds": [
            [sk.precision_score(y, score >= at, zero_division=0), sk.recall_score(y, score >= at),
             sk.f1_score(y, score >= at), sk.matthews_corrcoef(y, score >= at)]
            for at in np.arange(11) / 10
        ],
    }
    c = rng.integers(0, 3, n)
    raw = rng.random((n, 3)) + 0.6 * np.eye(3)[c]
    proba = raw / raw.sum(axis=1, keepdims=True)
    d = proba.argmax(axis=1)
    multiclass = {
        "labels": c.tolist(), "scores": proba.T.tolist(), "decisions": d.tolist(),
        "expected": {
            "precision": sk.precision_score(c, d, average="macro"), "recall": sk.recall_score(c, d, average="macro"),
            "f1": sk.f1_score(c, d, average="macro"), "accuracy": sk.accuracy_score(c, d),
            "mcc": sk.matthews_corrcoef(c, d), "auroc": sk.roc_auc_score(c, proba, multi_class="ovr"),
        },
    }
    t = rng.gamma(2, 50, n)
    p = t * rng.normal(1, 0.2, n) ** 2
    regression = {
        "labels": t.tolist(), "predictions": p.tolist(),
        "expected": {
            "mae": sk.mean_absolute_error(t, p), "mse": sk.mean_squared_error(t, p),
            "rmse": sk.root_mean_squared_error(t, p), "msle": sk.mean_squared_log_error(t, p),
            "mape": sk.mean_absolute_percentage_error(t, p), "r2": sk.r2_score(t, p),
            "quantile_0.9": sk.mean_pinball_loss(t, p, alpha=0.9), "coverage_0.9": float(np.mean(t <= p)),
            "d2_pinball_0.9": sk.d2_pinball_score(t, p, alpha=0.9),
        },
    }
    q = np.repeat(np.arange(25), 20)
    relevance = rng.choice([0, 1, 2], n, p=[0.7, 0.2, 0.1]).astype(float)
    rank_score = relevance * 0.3 + rng.random(n)
    ndcg = [sk.ndcg_score([relevance[q == i]], [rank_score[q == i]], k=10) for i in range(25) if relevance[q == i].any()]
    tied = np.round(rank_score * 5) / 5
    ndcg_tied = [sk.ndcg_score([relevance[q == i]], [tied[q == i]], k=10) for i in range(25) if relevance[q == i].any()]

    def trec(i, k=10):
        """Average precision, reciprocal rank and hit at k as trec_eval has them, written out."""
        order = np.argsort(-rank_score[q == i])
        hits = relevance[q == i][order] > 0
        places = [place for place, hit in enumerate(hits[:k], 1) if hit]
        precision = sum(n / place for n, place in enumerate(places, 1)) / min(hits.sum(), k)
        return precision, 1 / places[0] if places else 0.0, float(bool(places))

    averages = np.mean([trec(i) for i in range(25) if relevance[q == i].any()], axis=0)
    ranking = {
        "queries": q.tolist(), "relevance": relevance.tolist(), "scores": rank_score.tolist(), "tied_scores": tied.tolist(),
        "expected": {"ndcg": float(np.mean(ndcg)), "ndcg_tied": float(np.mean(ndcg_tied)), **dict(zip(("map", "mrr", "hit_rate"), map(float, averages)))},
    }
    from sklearn.isotonic import IsotonicRegression
    grid = np.linspace(0, 1, 21)
    isotonic = {"grid": grid.tolist(), "expected": IsotonicRegression(out_of_bounds="clip").fit(score, y).predict(grid).tolist()}
    def plain(x):
        if isinstance(x, dict):
            return {key: plain(value) for key, value in x.items()}
        if isinstance(x, list):
            return [plain(value) for value in x]
        return float(x) if isinstance(x, np.floating) else x
    write("performance.json", plain({"binary": binary, "multiclass": multiclass, "regression": regression, "ranking": ranking, "isotonic": isotonic}))


def chunk_rows(result, column):
    frame = result.filter(period="analysis").to_df()
    reference = result.filter(period="reference").to_df()
    out = {}
    for sub in frame[column].columns if hasattr(frame[column], "columns") else []:
        key = sub if isinstance(sub, str) else "/".join(map(str, sub))
        values = frame[column][sub].tolist()
        out[key] = [None if isinstance(v, float) and math.isnan(v) else v for v in values]
    return out


def nannyml_sets():
    import nannyml as nml

    out = {}
    reference, analysis, target = nml.load_synthetic_car_loan_dataset()
    features = ["car_value", "salary_range", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car", "size_of_downpayment", "driver_tenure"]
    drift = nml.UnivariateDriftCalculator(
        column_names=features, chunk_size=5000, timestamp_column_name="timestamp",
        continuous_methods=["jensen_shannon", "kolmogorov_smirnov", "wasserstein", "hellinger"],
        categorical_methods=["jensen_shannon", "l_infinity", "hellinger"],
    ).fit(reference).calculate(analysis)
    frame = drift.filter(period="analysis").to_df()
    univariate_chunks = {}
    for (column, method, field) in frame.columns:
        if field in ("value", "alert", "upper_threshold"):
            univariate_chunks.setdefault(column, {}).setdefault(method, {})[field] = [
                None if isinstance(v, float) and math.isnan(v) else v for v in frame[(column, method, field)].tolist()]
    out["car_loan"] = {"univariate": univariate_chunks}
    pca = nml.DataReconstructionDriftCalculator(column_names=features, chunk_size=5000, timestamp_column_name="timestamp").fit(reference).calculate(analysis)
    out["car_loan"]["pca"] = chunk_rows(pca, "reconstruction_error")

    def cbpe(reference, analysis, problem, metrics, chunk, **kw):
        estimator = nml.CBPE(problem_type=problem, metrics=metrics, chunk_size=chunk, **kw).fit(reference)
        result = estimator.estimate(analysis)
        return {m: chunk_rows(result, m) for m in metrics}

    metrics = ["roc_auc", "f1", "precision", "recall", "specificity", "accuracy"]
    out["car_loan"]["cbpe"] = cbpe(reference, analysis, "classification_binary", metrics, 5000,
        y_pred_proba="y_pred_proba", y_pred="y_pred", y_true="repaid", timestamp_column_name="timestamp")
    reference, analysis, target = nml.load_us_census_ma_employment_data()
    out["employment"] = {"cbpe": cbpe(reference, analysis, "classification_binary", metrics, 5000,
        y_pred_proba="predicted_probability", y_pred="prediction", y_true="employed")}
    reference, analysis, target = nml.load_synthetic_multiclass_classification_dataset()
    proba = {c.replace("y_pred_proba_", ""): c for c in reference.columns if c.startswith("y_pred_proba_")}
    out["credit_card"] = {"cbpe": cbpe(reference, analysis, "classification_multiclass", ["roc_auc", "f1", "accuracy", "precision", "recall", "specificity"], 6000,
        y_pred_proba=proba, y_pred="y_pred", y_true="y_true", timestamp_column_name="timestamp")}
    reference, analysis, target = nml.load_synthetic_car_price_dataset()
    features = ["car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission"]
    dle = nml.DLE(feature_column_names=features, y_pred="y_pred", y_true="y_true", timestamp_column_name="timestamp",
        metrics=["mae", "rmse"], chunk_size=6000).fit(reference).estimate(analysis)
    out["car_price"] = {"dle": {m: chunk_rows(dle, m) for m in ["mae", "rmse"]}}
    write("nannyml.json", out)


def sequential():
    from river import drift as rd
    from river.drift import binary as rb

    rng = np.random.default_rng(11)
    stream = np.concatenate([rng.normal(0.2, 0.1, 600), rng.normal(0.8, 0.1, 600), rng.normal(0.3, 0.1, 600)])
    errors = np.concatenate([rng.random(1000) < 0.05, rng.random(600) < 0.3, rng.random(600) < 0.6]).astype(int)
    out = {"stream": stream.tolist(), "errors": errors.tolist(), "drifts": {}}

    def run(detector, values):
        found = []
        for i, v in enumerate(values):
            detector.update(v)
            if detector.drift_detected:
                found.append(i)
        return found

    out["drifts"]["page_hinkley"] = run(rd.PageHinkley(threshold=5.0), stream)
    out["drifts"]["adwin"] = run(rd.ADWIN(), stream)
    out["drifts"]["ddm"] = run(rb.DDM(), errors.astype(bool))
    out["drifts"]["eddm"] = run(rb.EDDM(), errors.astype(bool))
    out["drifts"]["hddm_a"] = run(rb.HDDM_A(), errors.astype(bool))
    from frouros.detectors.concept_drift import CUSUM, CUSUMConfig
    cusum, found = CUSUM(config=CUSUMConfig(lambda_=5.0)), []
    for i, v in enumerate(stream):
        cusum.update(value=v)
        if cusum.status["drift"]:
            found.append(i)
            cusum.reset()
    out["drifts"]["cusum"] = found
    write("sequential.json", out)


def attribution():
    """Small models as their libraries write them, and what those say about some rows."""
    import lightgbm as lgb
    import xgboost as xgb

    rng = np.random.default_rng(5)
    x = rng.normal(size=(600, 4)).round(3)
    margin = 1.5 * x[:, 0] - x[:, 1] * (x[:, 2] > 0) + 0.2 * x[:, 3]
    y = (margin + rng.logistic(size=600) > 0).astype(int)
    rows = x[:20]
    out = {"rows": rows.tolist()}
    booster = xgb.train(
        {"objective": "binary:logistic", "max_depth": 3, "eta": 0.3, "nthread": 1, "seed": 1},
        xgb.DMatrix(x, label=y), num_boost_round=8)
    booster.save_model(os.path.join(HERE, "xgboost.json"))
    out["xgboost"] = booster.predict(xgb.DMatrix(rows), pred_contribs=True).astype(float).tolist()
    trained = lgb.train(
        {"objective": "binary", "num_leaves": 7, "num_threads": 1, "deterministic": True, "seed": 1, "verbose": -1},
        lgb.Dataset(x, label=y), num_boost_round=8)
    trained.save_model(os.path.join(HERE, "lightgbm.txt"))
    out["lightgbm"] = trained.predict(rows, pred_contrib=True).tolist()
    write("attribution.json", out)


def embeddings():
    """Evidently's methods for embeddings; of at most 1,000 rows, from which it draws none."""
    from evidently.legacy.metrics.data_drift import embedding_drift_methods as m

    rng = np.random.default_rng(21)

    def cloud(rows, width, moved=0.0, wider=1.0):
        centre = 0.3 + 0.1 * (np.arange(width) % 5)
        return centre + moved + wider * rng.normal(size=(rows, width)) * (1 + (np.arange(width) % 3))

    pairs = {
        "same": (cloud(120, 8), cloud(90, 8)),
        "moved": (cloud(100, 12), cloud(101, 12, moved=0.6)),
        "wider": (cloud(80, 5), cloud(60, 5, wider=2.0)),
        "long": (cloud(30, 64), cloud(25, 64, moved=0.3)),
        "some": (cloud(500, 6), cloud(500, 6, moved=np.array([0.0, 0.9, 0.0, 0.0, 0.0, 0.9]))),
    }
    cases = []
    for name, (reference, current) in pairs.items():
        reference, current = reference.round(3), current.round(3)
        call = lambda method: method(pd.DataFrame(current), pd.DataFrame(reference))
        methods = {
            "centroid_euclidean": m.distance(),
            "centroid_cosine": m.distance(dist="cosine"),
            "drifted_components": m.ratio(),
            "mmd": m.mmd(),
        }
        found = {name: call(method) for name, method in methods.items()}
        cases.append({
            "name": name, "reference": reference.tolist(), "current": current.tolist(),
            "evidently": {name: finite(one[0]) for name, one in found.items()},
            "alarms": {name: bool(one[1]) for name, one in found.items()},
        })
    write("embeddings.json", {"cases": cases})


SECTIONS = {"univariate": univariate, "embeddings": embeddings, "performance": performance, "nannyml": nannyml_sets, "sequential": sequential, "attribution": attribution}

if __name__ == "__main__":
    for section in sys.argv[1:] or SECTIONS:
        SECTIONS[section]()
