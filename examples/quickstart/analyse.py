"""Which iris is it? Means per species, a classifier's accuracy, and a figure in iris.png."""

import matplotlib

matplotlib.use("Agg")  # there is no display
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

iris = load_iris(as_frame=True)
data = iris.data.rename(columns=lambda name: name.removesuffix(" (cm)"))
data["species"] = pd.Categorical.from_codes(iris.target, iris.target_names)
measures = list(data.columns[:4])

print(f"{len(data)} flowers, {len(measures)} measures of each, in cm\n")
print(data[measures].describe().loc[["mean", "std", "min", "max"]].round(2), "\n")
means = data.groupby("species", observed=True)[measures].mean()
print(means.round(2), "\n")

# Each flower is classified by a model that has not seen it.
guess = cross_val_predict(KNeighborsClassifier(7), data[measures], data["species"], cv=10)
wrong = data[guess != data["species"]]
accuracy = 1 - len(wrong) / len(data)
print(f"7 nearest neighbours, 10-fold cross-validation: {accuracy:.1%} right, {len(wrong)} wrong")

sns.set_theme(style="whitegrid", palette="colorblind", font_scale=1.05)
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.6), width_ratios=[1.25, 1])

sns.scatterplot(data, x="petal length", y="petal width", hue="species", style="species", s=75, ax=left)
left.scatter(wrong["petal length"], wrong["petal width"], s=230, facecolors="none",
             edgecolors="black", linewidths=1.4, label=f"misclassified ({len(wrong)})")
left.set(title=f"Petals of each species ({accuracy:.1%} of the flowers classified correctly)",
         xlabel="petal length (cm)", ylabel="petal width (cm)")
left.legend(loc="upper left", frameon=True)

bars = means.reset_index().melt("species", var_name="measure", value_name="cm")
sns.barplot(bars, x="measure", y="cm", hue="species", saturation=1, ax=right)
for container in right.containers:
    right.bar_label(container, fmt="%.1f", padding=2, fontsize=10)
right.set(title="Mean of each measure", xlabel="", ylabel="cm", ylim=(0, 7.9))
right.legend(loc="upper right", ncols=3, frameon=False, columnspacing=1, handletextpad=0.4)
right.grid(False, axis="x")

sns.despine(figure)
figure.suptitle("Iris: 150 flowers of three species", fontsize=16, fontweight="bold")
figure.tight_layout()
figure.savefig("iris.png", dpi=130)
