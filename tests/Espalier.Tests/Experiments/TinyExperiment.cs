using Espalier.Experiments;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Experiments;

/// <summary>Two depths and a growth between them, of runs that take a blink.</summary>
internal static class TinyExperiment
{
    public const string Arms = """
        arms:
          1 layer: {model.n_layer: 1}
          4 layers: {model: {n_layer: 4}, learning_rate.peak: 1e-2}
          grown:
            method: {name: progressive, stages: [1, 4], boundaries: [50 %]}
        """;

    /// <summary>Writes an experiment with its recipe.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="arms">Its arms.</param>
    /// <param name="more">Other keys.</param>
    /// <param name="budgets">FLOPs.</param>
    /// <param name="seeds">Seeds.</param>
    /// <returns>Its file.</returns>
    public static string Write(
        TemporaryFolder folder, string arms = Arms, string more = "", string budgets = "[3e7, 6e7]", string seeds = "[1, 2]")
    {
        folder.Write("base.yaml", RecipeWriter.Write(TinyRun.Recipe with { Method = new Espalier.Growth.ScratchConfig() }));
        return folder.Write("tiny.yaml", $"""
            recipe: base.yaml
            set: {"{"}training.gradient_accumulation: 1{"}"}
            budgets: {budgets}
            learning_rates: [5e-3, 1e-2]
            seeds: {seeds}
            {more}
            {arms}
            """);
    }

    /// <summary>Makes a run in this process.</summary>
    public static Task<string?> Launch(ExperimentRun run, string folder, string? from, CancellationToken stop)
    {
        TrainingRun.Run(run.TrainedRecipe, folder, null, stop, new RunOptions { From = from });
        return Task.FromResult<string?>(null);
    }
}
