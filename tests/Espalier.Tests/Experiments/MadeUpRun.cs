using Espalier.Experiments;
using Espalier.Tests.Reporting;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Experiments;

/// <summary>Runs of experiments that nobody has trained: folders that say how they ended.</summary>
internal static class MadeUpRun
{
    /// <summary>Writes a finished run.</summary>
    /// <param name="run">Which.</param>
    /// <param name="pool">The folder of all runs.</param>
    /// <param name="seconds">How long it took, as it stands in the file.</param>
    /// <param name="rows">Held-out losses, and FLOPs of layers, attention and head; the last are the end's.</param>
    public static void Write(ExperimentRun run, string pool, string seconds, params (string Loss, string Flops)[] rows)
    {
        string folder = run.FolderIn(pool);
        Directory.CreateDirectory(TinyRun.Checkpoint(folder, run.Steps));
        File.WriteAllText(Path.Combine(folder, "checkpoints", "latest"), $"step-{run.Steps:D8}");
        File.WriteAllText(Path.Combine(folder, "recipe.yaml"), RecipeWriter.Write(run.TrainedRecipe));
        IEnumerable<string> lines = rows.Select((row, i) =>
            $"{run.Steps - rows.Length + 1 + i},1000,2,{row.Loss},0.001,0.5,4,4,100,1e9,{row.Flops},{seconds}");
        File.WriteAllText(Path.Combine(folder, "metrics.csv"), $"{SyntheticRun.Header}\n{string.Join('\n', lines)}\n");
    }
}
