"""torchlinear: linear models on PyTorch.

The exact optimum with a certificate and honest standard errors, or any of the classic optimisers, compiled;
on tensors, frames and files; with an `nn.Module` out. Names load on first use, so that importing torchlinear
does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from torchlinear.api import fit, load
    from torchlinear.choosing import choose
    from torchlinear.errors import (
        ConvergenceWarning,
        DataError,
        InvalidInput,
        MissingExtra,
        ModelFileError,
        RankWarning,
        RowsNeeded,
        TorchlinearError,
        TorchlinearWarning,
    )
    from torchlinear.estimators.elastic_net import ElasticNet
    from torchlinear.estimators.elastic_net_cv import ElasticNetCV
    from torchlinear.estimators.glm import GammaRegressor, PoissonRegressor, TweedieRegressor
    from torchlinear.estimators.huber import HuberRegressor
    from torchlinear.estimators.lasso import Lasso
    from torchlinear.estimators.lasso_cv import LassoCV
    from torchlinear.estimators.linear_probe import LinearProbe
    from torchlinear.estimators.linear_regression import LinearRegression
    from torchlinear.estimators.linear_svc import LinearSVC
    from torchlinear.estimators.linear_svr import LinearSVR
    from torchlinear.estimators.logistic import LogisticRegression
    from torchlinear.estimators.logistic_cv import LogisticRegressionCV
    from torchlinear.estimators.multi_task_elastic_net import MultiTaskElasticNet
    from torchlinear.estimators.multi_task_lasso import MultiTaskLasso
    from torchlinear.estimators.quantile import QuantileRegressor
    from torchlinear.estimators.ridge import Ridge
    from torchlinear.estimators.ridge_classifier import RidgeClassifier
    from torchlinear.estimators.ridge_classifier_cv import RidgeClassifierCV
    from torchlinear.estimators.ridge_cv import RidgeCV
    from torchlinear.estimators.sgd_classifier import SGDClassifier
    from torchlinear.estimators.sgd_regressor import SGDRegressor
    from torchlinear.fitted import Fit
    from torchlinear.loop import Status
    from torchlinear.losses.absolute import Absolute
    from torchlinear.losses.binomial import Binomial
    from torchlinear.losses.epsilon_insensitive import EpsilonInsensitive
    from torchlinear.losses.gamma import Gamma
    from torchlinear.losses.hinge import Hinge
    from torchlinear.losses.huber import Huber
    from torchlinear.losses.inverse_gaussian import InverseGaussian
    from torchlinear.losses.negative_binomial import NegativeBinomial
    from torchlinear.losses.poisson import Poisson
    from torchlinear.losses.quantile import Quantile
    from torchlinear.losses.softmax import Softmax
    from torchlinear.losses.squared import Squared
    from torchlinear.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitive
    from torchlinear.losses.squared_hinge import SquaredHinge
    from torchlinear.losses.tweedie import Tweedie
    from torchlinear.penalties.box import Box
    from torchlinear.penalties.elastic_net import L1L2
    from torchlinear.penalties.firth import Firth
    from torchlinear.penalties.group_lasso import GroupLasso
    from torchlinear.penalties.l1 import L1, adaptive_weights
    from torchlinear.penalties.l2 import L2
    from torchlinear.penalties.nonnegative import NonNegative
    from torchlinear.racing.outcome import Race
    from torchlinear.racing.race import race
    from torchlinear.racing.records import Runner
    from torchlinear.selection.cross_validation import cross_validate
    from torchlinear.selection.followed import Path
    from torchlinear.selection.path import path
    from torchlinear.selection.validated import CrossValidation
    from torchlinear.solvers.cholesky import Cholesky
    from torchlinear.solvers.coordinate import Coordinate
    from torchlinear.solvers.fista import FISTA
    from torchlinear.solvers.interior_point import InteriorPoint
    from torchlinear.solvers.lbfgs import LBFGS
    from torchlinear.solvers.newton import Newton
    from torchlinear.solvers.newton_cg import NewtonCG
    from torchlinear.solvers.qr import QR
    from torchlinear.solvers.rules import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, RMSprop
    from torchlinear.solvers.saga import SAGA
    from torchlinear.sources import read
    from torchlinear.training.train import train

_WHERE = {
    "fit": "api",
    "Fit": "fitted",
    "load": "api",
    "read": "sources",
    "choose": "choosing",
    "train": "training.train",
    "race": "racing.race",
    "Race": "racing.outcome",
    "Runner": "racing.records",
    "cross_validate": "selection.cross_validation",
    "CrossValidation": "selection.validated",
    "Squared": "losses.squared",
    "Binomial": "losses.binomial",
    "Softmax": "losses.softmax",
    "Poisson": "losses.poisson",
    "Gamma": "losses.gamma",
    "Tweedie": "losses.tweedie",
    "InverseGaussian": "losses.inverse_gaussian",
    "NegativeBinomial": "losses.negative_binomial",
    "L2": "penalties.l2",
    "Firth": "penalties.firth",
    "Cholesky": "solvers.cholesky",
    "QR": "solvers.qr",
    "Newton": "solvers.newton",
    "NewtonCG": "solvers.newton_cg",
    "FISTA": "solvers.fista",
    "SAGA": "solvers.saga",
    "LBFGS": "solvers.lbfgs",
    "SGD": "solvers.rules",
    "Adagrad": "solvers.rules",
    "RMSprop": "solvers.rules",
    "Adam": "solvers.rules",
    "AdamW": "solvers.rules",
    "Adadelta": "solvers.rules",
    "NAdam": "solvers.rules",
    "LassoCV": "estimators.lasso_cv",
    "ElasticNetCV": "estimators.elastic_net_cv",
    "LinearProbe": "estimators.linear_probe",
    "LinearRegression": "estimators.linear_regression",
    "LinearSVC": "estimators.linear_svc",
    "LinearSVR": "estimators.linear_svr",
    "SGDClassifier": "estimators.sgd_classifier",
    "SGDRegressor": "estimators.sgd_regressor",
    "Ridge": "estimators.ridge",
    "LogisticRegression": "estimators.logistic",
    "LogisticRegressionCV": "estimators.logistic_cv",
    "RidgeCV": "estimators.ridge_cv",
    "RidgeClassifier": "estimators.ridge_classifier",
    "RidgeClassifierCV": "estimators.ridge_classifier_cv",
    "Absolute": "losses.absolute",
    "Huber": "losses.huber",
    "Quantile": "losses.quantile",
    "Hinge": "losses.hinge",
    "SquaredHinge": "losses.squared_hinge",
    "EpsilonInsensitive": "losses.epsilon_insensitive",
    "SquaredEpsilonInsensitive": "losses.squared_epsilon_insensitive",
    "PoissonRegressor": "estimators.glm",
    "GammaRegressor": "estimators.glm",
    "TweedieRegressor": "estimators.glm",
    "HuberRegressor": "estimators.huber",
    "QuantileRegressor": "estimators.quantile",
    "InteriorPoint": "solvers.interior_point",
    "Status": "loop",
    "L1": "penalties.l1",
    "Box": "penalties.box",
    "MultiTaskElasticNet": "estimators.multi_task_elastic_net",
    "MultiTaskLasso": "estimators.multi_task_lasso",
    "GroupLasso": "penalties.group_lasso",
    "NonNegative": "penalties.nonnegative",
    "L1L2": "penalties.elastic_net",
    "adaptive_weights": "penalties.l1",
    "Coordinate": "solvers.coordinate",
    "path": "selection.path",
    "Path": "selection.followed",
    "ElasticNet": "estimators.elastic_net",
    "Lasso": "estimators.lasso",
    "TorchlinearError": "errors",
    "InvalidInput": "errors",
    "DataError": "errors",
    "ModelFileError": "errors",
    "RowsNeeded": "errors",
    "MissingExtra": "errors",
    "TorchlinearWarning": "errors",
    "RankWarning": "errors",
    "ConvergenceWarning": "errors",
}

__all__ = [
    "FISTA",
    "L1",
    "L1L2",
    "L2",
    "LBFGS",
    "QR",
    "SAGA",
    "SGD",
    "Absolute",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Binomial",
    "Box",
    "Cholesky",
    "ConvergenceWarning",
    "Coordinate",
    "CrossValidation",
    "DataError",
    "ElasticNet",
    "ElasticNetCV",
    "EpsilonInsensitive",
    "Firth",
    "Fit",
    "Gamma",
    "GammaRegressor",
    "GroupLasso",
    "Hinge",
    "Huber",
    "HuberRegressor",
    "InteriorPoint",
    "InvalidInput",
    "InverseGaussian",
    "Lasso",
    "LassoCV",
    "LinearProbe",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MissingExtra",
    "ModelFileError",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "NAdam",
    "NegativeBinomial",
    "Newton",
    "NewtonCG",
    "NonNegative",
    "Path",
    "Poisson",
    "PoissonRegressor",
    "Quantile",
    "QuantileRegressor",
    "RMSprop",
    "Race",
    "RankWarning",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "RowsNeeded",
    "Runner",
    "SGDClassifier",
    "SGDRegressor",
    "Softmax",
    "Squared",
    "SquaredEpsilonInsensitive",
    "SquaredHinge",
    "Status",
    "TorchlinearError",
    "TorchlinearWarning",
    "Tweedie",
    "TweedieRegressor",
    "adaptive_weights",
    "choose",
    "cross_validate",
    "fit",
    "load",
    "path",
    "race",
    "read",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'torchlinear' has no attribute {name!r}")
    value = getattr(import_module(f"torchlinear.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
