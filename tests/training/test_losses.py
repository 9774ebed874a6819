from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from streamcolor.training import losses
from streamcolor.training.networks.base import Colours
from streamcolor.training.networks.heads import bin_centers, nearest_bins
from streamcolor.training.scaling import AB_SCALE


def plain(a: float, b: float) -> torch.Tensor:
    return torch.tensor([a, b]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2) / AB_SCALE


def test_coloured_pixels_weigh_more() -> None:
    gray, red = plain(0, 0), plain(50, 0)
    # Smooth L1 of ten ab units in one of two channels is 1/4; chroma 50 counts 1 + 50/25 times.
    for true, expected in ((gray, 0.25), (red, 0.75)):
        made = Colours(true + plain(10, 0), None)
        assert losses.smooth_l1(made, true, losses.chroma_weights(true, 25)).item() == pytest.approx(expected)
        assert losses.smooth_l1(made, true, losses.chroma_weights(true, 0)).item() == pytest.approx(0.25)
        assert losses.mean_squared(made, true, losses.chroma_weights(true, 0)).item() == pytest.approx(
            (10 / AB_SCALE) ** 2 / 2
        )


def test_classification_is_cross_entropy_over_bins() -> None:
    """Two pixels of two bins; the weighted mean is over the weights' sum."""
    true = torch.cat([plain(20, 30)[..., :1, :1], plain(-10, 0)[..., :1, :1]], dim=3)
    centers = bin_centers().tolist()
    first, second = centers.index([20, 30]), centers.index([-10, 0])
    assert nearest_bins(true).flatten().tolist() == [first, second]
    logits = torch.randn(1, len(centers), 1, 2, generator=torch.Generator().manual_seed(0))
    weights = torch.ones(len(centers))
    weights[first], weights[second] = 3, 0.5
    loss = losses.classification(Colours(true, logits), true, weights)
    likelihood = torch.log_softmax(logits[0, :, 0], dim=0)
    expected = -(3 * likelihood[first, 0] + 0.5 * likelihood[second, 1]) / 3.5
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    with pytest.raises(ValueError, match="regresses"):
        losses.classification(Colours(true, None), true, weights)


@pytest.mark.parametrize("rebalance", [0.0, 0.5, 1.0])
def test_class_weights_are_one_in_the_mean(rebalance: float) -> None:
    shares = torch.tensor([0.7, 0.25, 0.05, 0.0])
    weights = losses.class_weights(shares, rebalance)
    assert (shares * weights).sum().item() == pytest.approx(1)
    assert (weights.diff()[:2] >= 0).all()  # the rarer, the heavier
    if rebalance == 0:
        torch.testing.assert_close(weights, torch.ones(4))
    if rebalance == 1:
        torch.testing.assert_close(shares[:3] * weights[:3], torch.full((3,), 1 / 3))
        assert weights[3] == 0


def test_adversarial_losses_are_the_textbooks() -> None:
    true, made = torch.tensor([2.0, -0.5]), torch.tensor([-3.0, 0.5])
    of_true = binary_cross_entropy_with_logits(true, torch.ones(2)).item()
    of_made = binary_cross_entropy_with_logits(made, torch.zeros(2)).item()
    assert losses.discriminator_loss("bce", true, made).item() == pytest.approx((of_true + of_made) / 2)
    assert losses.adversarial_loss("bce", made).item() == pytest.approx(
        binary_cross_entropy_with_logits(made, torch.ones(2)).item()
    )
    assert losses.discriminator_loss("hinge", true, made).item() == pytest.approx((0 + 1.5 + 0 + 1.5) / 4)
    assert losses.adversarial_loss("hinge", made).item() == pytest.approx(1.25)


def test_features_that_match_cost_nothing() -> None:
    features = [torch.ones(1, 2, 2, 2), torch.zeros(1, 4, 1, 1)]
    assert losses.feature_matching(features, features).item() == 0
    assert losses.feature_matching(features, [feature + 1 for feature in features]).item() == pytest.approx(1)
