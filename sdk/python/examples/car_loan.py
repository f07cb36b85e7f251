# %% [markdown]
# # Which weeks of the car-loan model drifted?
#
# NannyML's car-loan data: a model that says whether a loan will be repaid, 50,000 rows on which it
# was tried (the reference) and 50,000 that it saw later, whose labels came later still.
# The cells run one after another in a notebook, or all at once: `python car_loan.py`.

# %%
import importlib.util
from pathlib import Path

import polars as pl

import trefoil

# The files are in NannyML's wheel; the package itself is not used.
data = Path(importlib.util.find_spec("nannyml").submodule_search_locations[0]) / "datasets" / "data"
reference = pl.read_csv(data / "synthetic_car_loan_reference.csv", try_parse_dates=True)
current = pl.read_csv(data / "synthetic_car_loan_analysis.csv", try_parse_dates=True)
labels = pl.read_csv(data / "synthetic_car_loan_analysis_target.csv")

# %% [markdown]
# ## All of it at once
# Five columns moved. The table is sorted by how much.

# %%
outcome = trefoil.drift(reference, current)
print(outcome)
drifted_columns = outcome.drifted_columns

# %% [markdown]
# ## When did it begin?
# Chunks of 5,000 rows, each against the whole reference. The score's column tells how the model
# does before any label is there: performance is estimated.

# %%
chunks = trefoil.drift(
    reference, current, every=5000, target="repaid", prediction="y_pred", score="y_pred_proba"
)
drifted_chunks = [place for place, window in enumerate(chunks.windows) if window.drifted]
estimated_alerts = [place for place, p in enumerate(chunks.performance["auroc"].points) if p.alert]
print("chunks with drift:", drifted_chunks)
print("chunks with an estimated AUROC out of its band:", estimated_alerts)

# %% [markdown]
# ## The labels have come
# Joined by Polars; now the realised AUROC stands beside the estimate.

# %%
labelled = current.join(labels, on="id", how="left", maintain_order="left")
known = trefoil.drift(
    reference, labelled, every=5000, target="repaid", prediction="y_pred", score="y_pred_proba"
)
for point in known.performance["auroc"].points:
    print(f"{point.window:>15}  realised {point.realized:.4f}  estimated {point.estimate.value:.4f}")
realized_alerts = [place for place, p in enumerate(known.performance["auroc"].points) if p.alert]

# %% [markdown]
# ## The report
# As the last expression of a cell it is shown in the notebook; `to_html` writes it as one page.

# %%
page = known.to_html()
known  # noqa: B018
