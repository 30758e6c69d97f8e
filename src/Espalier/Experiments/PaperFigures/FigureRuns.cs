using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Reporting;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>
/// The runs of figures: the quickstart's text, a GPT of width 64 at a constant rate, so that all that changes is what a figure is
/// about. Those of equal names are shared.
/// </summary>
internal sealed class FigureRuns(
    string folder, IReadOnlyList<string> overrides, Action<Recipe, TrainingProgress>? progress, Action<RunResult>? ended,
    CancellationToken stop)
{
    private const int Sequences = 32;

    private static readonly string[] Settings =
    [
        "model={model_type: gpt2, n_layer: 12, n_embd: 64, n_head: 4, n_positions: 64, initializer_range: 0.08}",
        "optimizer.weight_decay=0.1",
        "learning_rate={peak: 2e-3, schedule: constant, warmup: 5 %}",
        "training.length=800 steps",
        "evaluation={every: 50 %, tokens: 65536}",
        "checkpoint={every: 50 steps, keep: 1000}",
        "logging.every=1 steps",
    ];

    /// <summary>Trains a run to its end, or finds it there.</summary>
    /// <param name="name">Its name; a run is what its name says.</param>
    /// <param name="settings">What it sets besides.</param>
    /// <returns>Its folder and its metrics.</returns>
    /// <exception cref="OperationCanceledException">It was asked to stop.</exception>
    public RunMetrics Train(string name, params string[] settings)
    {
        Recipe recipe = Read([$"name={name}", .. settings]);
        string run = Path.Combine(folder, "runs", name);
        RunResult result = TrainingRun.Run(recipe, run, made => progress?.Invoke(recipe, made), stop);
        ended?.Invoke(result);
        return result.IsFinished ? RunMetrics.Load(run) : throw new OperationCanceledException(stop);
    }

    /// <summary>6 layers that become 12 half-way, stacked and interpolated.</summary>
    /// <param name="suffix">What their names end in, where they set something besides.</param>
    /// <param name="settings">That.</param>
    public (LayerMapKind Map, RunMetrics Run)[] Expanded(string suffix = "", params string[] settings) =>
    [
        .. new[] { LayerMapKind.Stack, LayerMapKind.Interpolate }.Select(map => (map, Train(
            $"6-to-12-{NameOf(map)}{suffix}",
            [$"method={{name: progressive, stages: [6, 12], boundaries: [50 %], growth_map: {NameOf(map)}, moments: map}}", .. settings]))),
    ];

    /// <summary>Held-out text for a model, always the same.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sequences">How many sequences of it.</param>
    public ModelBatch HeldOut(Model model, int sequences = Sequences)
    {
        var data = Dataset.Open(Read([]).Data.Path);
        using TokenShard valid = data.OpenValid();
        return ModelBatch.Of(
            model.Architecture.Objective(data.LoadTokenizer()).HeldOut(valid, sequences, model.Config.ContextLength, null, null).At(0), Device.Cpu);
    }

    /// <summary>As recipes and labels call a map.</summary>
    public static string NameOf(LayerMapKind map) => Configuration.ConfigKeys.Kebab(map);

    /// <summary>The updates that a run had done when it first grew.</summary>
    public static long GrowthOf(RunMetrics run) =>
        run.Rows.Last(row => row.StoredLayers == run.Rows.First(first => first.StoredLayers is not null).StoredLayers).Step;

    /// <summary>Means over the last rows up to each.</summary>
    public static IEnumerable<(MetricsRow Row, double Value)> Smoothed(RunMetrics run, Func<MetricsRow, double?> of, int rows)
    {
        MetricsRow[] all = [.. run.Rows.Where(row => of(row) is not null)];
        return all.Select((row, i) => (row, all[Math.Max(0, i + 1 - rows)..(i + 1)].Average(other => of(other)!.Value)));
    }

    private Recipe Read(IEnumerable<string> settings) => RecipeReader.Read(
        Path.Combine(AppContext.BaseDirectory, "recipes", "gpt2-mini-scratch.yaml"), [.. Settings, .. settings, .. overrides]);
}
