"""Attainment in A-level chemistry 1997 by gender and authority: one table, one regression, one figure.

Run inside the environment: reads /data/pupils/chem97.csv, writes to the folder named as its first argument.
With the second argument "all" it also writes the table of every authority by score, whose small cells must not leave.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import statsmodels.formula.api as smf

THRESHOLD = 10

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
pupils = pd.read_csv("/data/pupils/chem97.csv")
pupils["gender"] = pupils["gender"].map({"M": "male", "F": "female"})

by_gender = pupils.groupby(["gender", "score"]).size().rename("pupils").reset_index()
by_gender.to_csv(out / "attainment_by_gender.csv", index=False)

authorities = pupils.groupby("lea").agg(pupils=("score", "size"), mean_score=("score", "mean")).reset_index()
shown = authorities[authorities["pupils"] >= THRESHOLD].round({"mean_score": 1})
shown.to_csv(out / "attainment_by_authority.csv", index=False)

if sys.argv[2:] == ["all"]:
    cells = pupils.groupby(["lea", "score"]).size().rename("pupils").reset_index()
    cells.to_csv(out / "authority_by_score.csv", index=False)

model = smf.ols("score ~ gcsescore + C(gender) + age", pupils).fit()
coefficients = pd.DataFrame({"coefficient": model.params, "standard_error": model.bse}).round(4)
coefficients["pupils_in_model"] = int(model.nobs)
coefficients.to_csv(out / "regression.csv", index_label="term")

figure, axes = plt.subplots(figsize=(6, 4))
for gender, part in by_gender.groupby("gender"):
    axes.plot(part["score"], 100 * part["pupils"] / part["pupils"].sum(), marker="o", label=gender)
axes.set_xlabel("A-level chemistry score, 1997")
axes.set_ylabel("share of pupils (%)")
axes.legend()
figure.savefig(out / "attainment_by_gender.png", dpi=100, metadata={"Software": None})
