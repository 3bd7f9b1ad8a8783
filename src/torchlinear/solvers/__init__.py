"""Solvers: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry(
    "solver",
    {
        "cholesky": Entry("solvers.cholesky:Cholesky", "Exact: normal equations, one pass over the rows."),
        "qr": Entry("solvers.qr:QR", "Exact: orthogonal triangularisation, for badly conditioned columns."),
        "newton": Entry(
            "solvers.newton:Newton", "Newton's method, for smooth losses: reweighted least squares."
        ),
        "newton_cg": Entry(
            "solvers.newton_cg:NewtonCG", "Newton's method by conjugate gradients: any size, softmax."
        ),
        "lbfgs": Entry("solvers.lbfgs:LBFGS", "L-BFGS: one slope a step, for smooth losses of any size."),
        "interior_point": Entry(
            "solvers.interior_point:InteriorPoint", "Exact for quantile and absolute: a linear programme."
        ),
        "coordinate": Entry(
            "solvers.coordinate:Coordinate", "Coordinate descent, for L1 and elastic net: exact zeros."
        ),
        "fista": Entry(
            "solvers.fista:FISTA", "Accelerated proximal gradient descent: smooth losses, any penalty."
        ),
        "proximal_newton": Entry(
            "solvers.proximal_newton:ProximalNewton",
            "Newton with coordinate descent inside: L1 with any smooth loss.",
        ),
        "working_set": Entry(
            "solvers.working_set:WorkingSet",
            "Proximal Newton in the columns that may matter: L1 on very many columns.",
        ),
        "saga": Entry(
            "solvers.saga:SAGA",
            "SAGA: one row a step with memory, for losses of bounded curvature and L1, L2.",
        ),
        "bgd": Entry("solvers.rules:bgd", "Batch gradient descent: every step sees all rows."),
        "sgd": Entry("solvers.rules:sgd", "Stochastic gradient descent: one row a step."),
        "mbgd": Entry("solvers.rules:mbgd", "Mini-batch gradient descent: 32 rows a step."),
        "momentum": Entry("solvers.rules:momentum", "Batch gradient descent with momentum."),
        "nesterov": Entry("solvers.rules:nesterov", "Batch gradient descent with Nesterov's momentum."),
        "adagrad": Entry("solvers.rules:Adagrad", "Gradients divided by the root of their squares' sum."),
        "rmsprop": Entry(
            "solvers.rules:RMSprop", "Gradients divided by the root of their mean square of late."
        ),
        "adam": Entry("solvers.rules:Adam", "Momentum, divided as in rmsprop, both freed of their bias."),
        "adamw": Entry("solvers.rules:AdamW", "Adam with weight decay outside of the moments."),
        "adadelta": Entry("solvers.rules:Adadelta", "Steps in the units of the coefficients."),
        "nadam": Entry("solvers.rules:NAdam", "Adam with Nesterov's momentum."),
    },
)
