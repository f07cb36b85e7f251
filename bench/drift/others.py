"""What other tools need for the rows of `cargo run --release -p mlmon --example measure`.

Run with the interpreter of the golden environment (`make golden` makes it):
    target/venv-golden/bin/python bench/drift/others.py [full|vectors]
`full` also measures 1,000,000 × 50. whylogs wants NumPy 1 and so an environment of its own:
    python3 -m venv target/venv-whylogs && target/venv-whylogs/bin/pip install whylogs==1.6.4 pandas==2.2.3
    target/venv-whylogs/bin/python bench/drift/others.py whylogs
Prints processor seconds (all threads) and peak memory of this process so far.
"""

import os
import resource
import sys
import time
import warnings

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd


def table(seed, rows, columns, shift):
    rng = np.random.default_rng(seed)
    shapes = [
        lambda n: rng.normal(0, 1, n) + shift,
        lambda n: (rng.normal(0, 1, n) + shift) ** 3,
        lambda n: np.exp(rng.normal(0, 1, n) + shift),
        lambda n: rng.random(n) + shift / 10,
    ]
    return pd.DataFrame({f"c{i}": shapes[i % 4](rows) for i in range(columns)})


def measure(name, work):
    before, watch = time.process_time(), time.perf_counter()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, spent = time.perf_counter() - watch, time.process_time() - before
    print(f"{name:<58}{wall:>9.2f}{spent:>9.2f}{peak:>9.0f}", flush=True)


def main():
    import scipy.stats as st
    import sklearn.metrics as sk

    print(f"{'':<58}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
    reference, current = table(1, 200_000, 20, 0.0), table(2, 200_000, 20, 0.1)

    def scipy_two():
        for c in reference.columns:
            st.ks_2samp(reference[c], current[c])
            st.wasserstein_distance(reference[c], current[c])

    measure("SciPy, KS and Wasserstein", scipy_two)
    from evidently import Report
    from evidently.presets import DataDriftPreset

    measure("Evidently, PSI", lambda: Report([DataDriftPreset(method="psi")]).run(current, reference).dict())
    measure("Evidently, defaults", lambda: Report([DataDriftPreset()]).run(current, reference).dict())
    import nannyml as nml

    def nannyml(methods):  # of the tables as they are when it is called
        names = list(reference.columns)
        calculator = nml.UnivariateDriftCalculator(column_names=names, continuous_methods=methods, chunk_number=10)
        calculator.fit(reference).calculate(current)

    measure("NannyML, Jensen-Shannon", lambda: nannyml(["jensen_shannon"]))
    measure("NannyML, four methods", lambda: nannyml(["jensen_shannon", "kolmogorov_smirnov", "wasserstein", "hellinger"]))
    past, now, _ = nml.load_synthetic_car_loan_dataset()
    cbpe = lambda: nml.CBPE(problem_type="classification_binary", metrics=["roc_auc", "f1", "precision", "recall", "accuracy"],
        chunk_size=5000, y_pred_proba="y_pred_proba", y_pred="y_pred", y_true="repaid").fit(past).estimate(now)
    measure("NannyML, CBPE 50,000 + 50,000", cbpe)
    past, now, _ = nml.load_synthetic_car_price_dataset()
    features = ["car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission"]
    dle = lambda: nml.DLE(feature_column_names=features, y_pred="y_pred", y_true="y_true", metrics=["mae", "rmse"], chunk_size=6000).fit(past).estimate(now)
    measure("NannyML, DLE 60,000 + 60,000, 2 metrics", dle)
    rng = np.random.default_rng(5)
    score = rng.random(10_000_000)
    label = rng.random(10_000_000) < score

    def metrics():
        sk.roc_auc_score(label, score)
        sk.average_precision_score(label, score)
        sk.log_loss(label, score)
        sk.brier_score_loss(label, score)

    measure("scikit-learn, AUROC, AP, log loss, Brier of 10,000,000", metrics)
    if "full" in sys.argv:
        del score, label
        reference, current = table(3, 1_000_000, 50, 0.0), table(4, 1_000_000, 50, 0.1)
        measure("NannyML, Jensen-Shannon, 1,000,000 × 50", lambda: nannyml(["jensen_shannon"]))
        measure("Evidently, PSI, 1,000,000 × 50",
            lambda: Report([DataDriftPreset(method="psi")]).run(current, reference).dict())


def vectors():
    from evidently.legacy.metrics.data_drift import embedding_drift_methods as methods

    print(f"{'':<58}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
    draw = lambda seed, shift: pd.DataFrame(
        (np.random.default_rng(seed).standard_normal((100_000, 384), dtype="f4") + np.float32(shift)))
    reference, current = draw(7, 0.0), draw(8, 0.1)
    measure("Evidently, embeddings, distance", lambda: methods.distance()(current, reference))
    measure("Evidently, embeddings, ratio", lambda: methods.ratio()(current, reference))
    few = lambda: methods.mmd()(current[:1000], reference[:1000])
    measure("Evidently, embeddings, MMD of 1,000", few)


def with_whylogs():
    import whylogs

    values = pd.DataFrame({"x": np.random.default_rng(9).normal(size=4_000_000)})
    measure("whylogs, 4,000,000 values", lambda: whylogs.log(values))


if __name__ == "__main__":
    {"whylogs": with_whylogs, "vectors": vectors}.get(sys.argv[-1], main)()
