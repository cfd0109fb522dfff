"""A search by Katib: what every search shares; a `configs/pipelines/tune_*.py` adds parameters."""

search = dict(
    # The Experiment's name and the search's directory below `searches/`: lower case letters,
    # digits and dashes, at most 40.
    name="plateflow",
    # Parameter of the search to the config key that it fills, and the values that it may take as
    # YAML text.
    parameters=dict(),
    # What is made large, and what ends the search when a trial reaches it.
    objective="mAP",
    goal=0.99,
    # What is looked at besides, where the model has it.
    additional=["dv_mAP", "EIR"],
    # Which of a trial's validations counts: max, min or latest.
    strategy="max",
    # random, grid, tpe, multivariate-tpe, bayesianoptimization, sobol or hyperband.
    algorithm="random",
    # Of the random numbers. Katib takes none for sobol and hyperband; here too they go without, and
    # the search's name is their seed.
    seed=0,
    # medianstop, or None: a trial is stopped when its best objective after `start_step` validations
    # lies below the median of what the trials before it had, once `min_trials_required` are done.
    early_stopping=None,
    medianstop=dict(min_trials_required=3, start_step=2),
    # Of `hyperband` only: the parameter that says how long a trial trains, the longest training,
    # and the share of trials, one in `eta`, that goes on after each round.
    hyperband=dict(name="max_epochs", key="train.max_epochs", max=8, eta=3),
    max_trials=20,
    parallel_trials=1,
    # So many failed trials end the search.
    max_failed_trials=3,
    # On a cluster: whether a search that has ended may be given more trials. LongRunning: yes, and
    # what suggests values keeps running until the search is deleted; FromVolume: yes, it keeps what
    # it knows on a volume of its own, which only some algorithms do; Never.
    resume_policy="LongRunning",
)
