import matplotlib.pyplot as plt
from sklearn.datasets import load_iris

iris = load_iris(as_frame=True)
data = iris.frame
figure, axes = plt.subplots(figsize=(8, 6))
for number, name in enumerate(iris.target_names):
    flowers = data[data["target"] == number]
    axes.scatter(flowers["petal length"], flowers["petal width"], s=45, alpha=0.8, label=name)
axes.set(title="Petals of 150 iris flowers", xlabel="petal length (cm)", ylabel="petal width (cm)")
axes.legend(title="species")
axes.grid(alpha=0.3)
figure.tight_layout()
figure.savefig("iris.png", dpi=120)
print(f"{len(data)} flowers of {len(iris.target_names)} species are in iris.png")
