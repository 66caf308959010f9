"""Facts about diffusers' schedulers: which can sample a model of this project, why others cannot, and their orders."""

from typing import Any

OF_THE_MODEL = "the model's own schedule and parameterisation are used"
OF_THE_CHAIN = "the timesteps are those of the sampler's chain, see its spacing"
OF_FLOWS = "it is for flow-matching models"
NO_OPTIONS = {
    **dict.fromkeys(
        ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"),
        OF_THE_MODEL,
    ),
    "prediction_type": OF_THE_MODEL,
    **dict.fromkeys(("timestep_spacing", "steps_offset", "lambda_min_clipped", "timestep_type"), OF_THE_CHAIN),
    "interpolation_type": OF_THE_CHAIN,
    **dict.fromkeys(
        ("use_flow_sigmas", "flow_shift", "use_dynamic_shifting", "time_shift_type", "shift_terminal"), OF_FLOWS
    ),
    "tau_func": "a function has no place in a configuration; diffusers' own is used",
    "solver_p": "a scheduler has no place in a configuration",
}
"""Settings of schedulers that are not fields, and why."""

DEFAULTS = {"clip_sample": False, ("DPMSolverSinglestepScheduler", "lower_order_final"): True}
"""Defaults that differ from diffusers': the sampling job clips; diffusers sets the second one itself and warns."""

OF_A_STEP = {"self", "model_output", "timestep", "sample", "generator", "return_dict", "variance_noise", "noise"}
OF_A_STEP |= {"prev_timestep", "pred_original_sample"}
"""Arguments of `step` that the walk passes, or leaves out."""

FLOW = "it integrates flow-matching models (x_t = (1 - t) x_0 + t eps)"
TOKENS = "it draws discrete tokens, not images of real numbers"
DISTILLED = "it needs a network distilled for it"
ENCODER = "it climbs from images to noise, it does not sample"
BROWNIAN = "it draws a Brownian path (torchsde) whose noise cannot be replaced by the image's own"
VIDEO = "its schedule is shifted for video latents, and is not the model's"
EDM_SCALED = (
    "its network is preconditioned with sigma_data; EulerDiscreteScheduler and DPMSolverMultistepScheduler are it"
)
REFUSED = {
    "AmusedScheduler": TOKENS,
    "BlockRefinementScheduler": TOKENS,
    "CMStochasticIterativeScheduler": DISTILLED,
    "CogVideoXDDIMScheduler": VIDEO,
    "CogVideoXDPMScheduler": VIDEO,
    "ConsistencyDecoderScheduler": DISTILLED,
    "CosineDPMSolverMultistepScheduler": BROWNIAN,
    "DDIMInverseScheduler": ENCODER,
    "DDPMWuerstchenScheduler": "its schedule is a continuous cosine of its own, and is not the model's",
    "DPMSolverMultistepInverseScheduler": ENCODER,
    "DPMSolverSDEScheduler": BROWNIAN,
    "DiscreteDDIMScheduler": TOKENS,
    "EDMDPMSolverMultistepScheduler": EDM_SCALED,
    "EDMEulerScheduler": EDM_SCALED,
    "EntropyBoundScheduler": TOKENS,
    "FlowMapEulerDiscreteScheduler": FLOW,
    "FlowMatchEulerDiscreteScheduler": FLOW,
    "FlowMatchHeunDiscreteScheduler": FLOW,
    "FlowMatchLCMScheduler": FLOW,
    "HeliosDMDScheduler": FLOW,
    "HeliosScheduler": FLOW,
    "KarrasVeScheduler": "it is not called once for each network evaluation",
    "LCMScheduler": DISTILLED,
    "LTXEulerAncestralRFScheduler": FLOW,
    "MiniMaxH3Scheduler": FLOW,
    "PiflowScheduler": FLOW,
    "RFD4ProteinaScheduler": FLOW,
    "RePaintScheduler": "it paints into an image and needs a mask",
    "SCMScheduler": DISTILLED,
    "ScoreSdeVeScheduler": "its schedule is a variance-exploding one of its own, and is not the model's",
    "ScoreSdeVpScheduler": "its schedule is a continuous one of its own, and is not the model's",
    "TCDScheduler": DISTILLED,
    "VQDiffusionScheduler": TOKENS,
}
"""Schedulers that belong to another process or cannot be walked, and why."""


def orders(sampler: Any) -> tuple[int, int]:
    """Return (order, startup_order) of a member.

    Sources: Lu et al. 2022 (DPM-Solver, DPM-Solver++), Zhao et al. 2023 (UniPC: p + 1 with its corrector), Zhang and
    Chen 2023 (DEIS), Karras et al. 2022 (Heun; KDPM2 is DPM-Solver-2), Liu et al. 2022 (PNDM).
    """
    name = type(sampler).scheduler.__name__
    if sampler.stochastic:
        return 1, 1
    match name:
        case "HeunDiscreteScheduler" | "KDPM2DiscreteScheduler":
            return 2, 2
        case "DPMSolverMultistepScheduler":
            # Its third order gives the second derivative only half of its weight.
            return min(sampler.solver_order, 2), 1
        case "DEISMultistepScheduler":
            return sampler.solver_order, 1
        case "DPMSolverSinglestepScheduler":
            return sampler.solver_order, sampler.solver_order
        case "UniPCMultistepScheduler":
            return sampler.solver_order + 1, 2
        case "PNDMScheduler":
            # Whatever the history, the order is 2: weights are for equal steps in t, and a step holds eps constant.
            return 2, 2
        case "IPNDMScheduler":
            return 2, 1
        case "LMSDiscreteScheduler":
            return sampler.order, 1
        case _:
            return 1, 1
