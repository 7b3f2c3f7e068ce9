"""The hunted set: loops written to get a wrong verdict, which once got one. They are in ``targets/hunted_*.py``."""

from tests.faults.fault import control, fault

FAULTS = (
    fault("hunted_numpy.py:stops_before_a_small_step", "count.early-stop"),
    fault("hunted_numpy.py:stops_after_a_small_step", "count.early-stop"),
    fault("hunted_numpy.py:stops_before_a_relatively_small_step", "count.early-stop"),
    fault("hunted_numpy.py:drops_small_steps", "unknown"),
    fault("hunted_numpy.py:best_parameters_restored", "unknown"),
    fault(
        "hunted_numpy.py:backtracking_by_halves",
        "unknown",
        note="a schedule that the losses make, where descent diverges",
    ),
    fault("hunted_numpy.py:rate_capped_by_the_curvature", "unknown"),
    fault("hunted_numpy.py:least_loss_so_far", "unknown"),
    fault("hunted_numpy.py:three_replicas_summed", "scale.constant"),
    fault("hunted_numpy.py:fifth_of_the_rate", "scale.constant"),
    fault("hunted_numpy.py:losses_of_three_replicas", "unknown"),
    fault("hunted_numpy.py:constant_in_the_gradient", "unknown"),
    fault("hunted_numpy.py:until_converged", "count.padded"),
    fault("hunted_numpy.py:mean_of_the_last_two", "unknown"),
    fault("hunted_numpy.py:outputs_weighted", "state.adaptive", note="a learning rate of its own for every coordinate"),
    fault("hunted_numpy.py:predictions_of_a_neighbour", "unknown"),
)

CONTROLS = (
    control("hunted_honest_numpy.py:loss_from_the_normal_equations"),
    control("hunted_honest_numpy.py:loss_multiplied_out"),
    control("hunted_honest_numpy.py:loss_multiplied_out_sample_by_sample"),
)
