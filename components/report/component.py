"""The component `report`: what the run achieved, on one page."""

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def report(run: str, volume: str, page: dsl.Output[dsl.HTML]) -> None:
    """`report.html` and `report.json` of the run; Kubeflow's own pages show the first."""
    from shutil import copyfile

    from components.report import write_report
    from components.step import Result, Step, run_step

    step = Step("report", volume, run)
    if not (step.run_dir / "test" / "readings.json").is_file():
        print("the run did not come to its test: there is nothing to report")
        return

    def work() -> Result:
        page_file = write_report(step.run_dir)
        return Result({"page": page_file, "figures": page_file.with_suffix(".json")})

    # Of all that steps have left, however they ended: it is never done already.
    step.record_file.unlink(missing_ok=True)
    run_step(step, work)
    copyfile(step.run_dir / "report.html", page.path)
