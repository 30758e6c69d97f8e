using System.Globalization;
using Espalier.Growth;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Planning;

/// <summary>A model of a fixed size, and the curve that was logged of it.</summary>
/// <param name="Curve">Its curve; costs are FLOPs, or updates times parameters where the tokens of an update are not known.</param>
/// <param name="Sizes">Its sizes; null where only the FLOPs of a step were given.</param>
/// <param name="CountsFlops">Whether costs are FLOPs.</param>
/// <param name="Loss">Which loss was read.</param>
/// <param name="Recipe">The recipe of the run; null where it was a table.</param>
internal sealed record LoggedModel(TrainingCurve Curve, LayerSizes? Sizes, bool CountsFlops, string Loss, Recipe? Recipe)
{
    private const string FlopsKey = "flops=";

    // Fewer held-out losses than this make no curve.
    private const int LeastPoints = 8;

    /// <summary>
    /// Reads a curve: a run folder, which says its sizes itself, or `TABLE.csv@n_layer=6,n_embd=768`, or `TABLE.csv@flops=1.2e15`.
    /// </summary>
    /// <param name="text">What a person wrote.</param>
    /// <param name="column">The column that holds the loss; null for the usual ones.</param>
    /// <exception cref="UserErrorException">It cannot be read, or lacks something; the message names it.</exception>
    public static LoggedModel Read(string text, string? column)
    {
        int at = text.LastIndexOf('@');
        (string path, string said) = at > 0 && text[at..].Contains('=', StringComparison.Ordinal)
            ? (text[..at], text[(at + 1)..]) : (text, "");
        return Directory.Exists(path) ? OfRun(Path.TrimEndingDirectorySeparator(path), said, column) : OfTable(path, said, column);
    }

    private static LoggedModel OfRun(string folder, string said, string? column)
    {
        RunMetrics run = RunMetrics.Load(folder);
        Recipe? recipe = run.Recipe.Length > 0 ? RecipeReader.Parse(run.Recipe, Path.Combine(folder, "recipe.yaml")) : null;
        if (recipe is not null && recipe.Method is not ScratchConfig)
        {
            throw new UserErrorException(
                $"'{folder}' is a run of the method {recipe.Method.Name}: its curve is that of no fixed size.",
                "Name runs of the method scratch, one for each size.");
        }

        LayerSizes? sizes = recipe is null ? null : LayerSizes.Of(recipe.Model);
        if (said.Length > 0 && LayerSizes.Parse(said, folder) is var asked && sizes is not null && asked != sizes)
        {
            throw new UserErrorException(
                $"The sizes contradict: '{folder}' trained {sizes}, and not {asked}.", "Leave the sizes of a run folder out.");
        }

        bool isHeldOut = column is null ? run.Rows.Count(row => row.ValidLoss is not null) >= LeastPoints : column switch
        {
            "valid_loss" => true,
            "train_loss" => false,
            _ => throw new UserErrorException(
                $"'{folder}' has no column '{column}' of losses.", "A run has valid_loss and train_loss."),
        };
        return new LoggedModel(
            Checked(folder, new TrainingCurve(Path.GetFileName(folder), run.Rows
                .Where(row => (isHeldOut ? row.ValidLoss : row.TrainLoss) is > 0 && row.Flops.Total > 0)
                .Select(row => new CurvePoint(row.Step, (isHeldOut ? row.ValidLoss : row.TrainLoss)!.Value, row.Flops.Total)))),
            sizes, CountsFlops: true, isHeldOut ? "held-out" : "training", recipe);
    }

    private static LoggedModel OfTable(string path, string said, string? column)
    {
        (string name, IReadOnlyList<(double Step, double Loss)> points) = LossTable.Read(path, column);
        if (said.StartsWith(FlopsKey, StringComparison.Ordinal))
        {
            return double.TryParse(said[FlopsKey.Length..], NumberStyles.Float, CultureInfo.InvariantCulture, out double flops)
                && double.IsFinite(flops) && flops > 0
                ? new LoggedModel(Curve(flops), null, CountsFlops: true, name, null)
                : throw new UserErrorException($"{path}: '{said}' gives no FLOPs of a step.", "Write flops=1.2e15.");
        }

        LayerSizes sizes = said.Length > 0 ? LayerSizes.Parse(said, path) : throw new UserErrorException(
            $"'{path}' does not tell which model it is of.",
            $"Write its sizes after it, {path}@n_layer=6,n_embd=768, or the FLOPs of a step, {path}@flops=1.2e15.");
        return new LoggedModel(Curve(6 * sizes.Parameters), sizes, CountsFlops: false, name, null);

        TrainingCurve Curve(double each) => Checked(path, new TrainingCurve(
            Path.GetFileNameWithoutExtension(path), points.Select(point => new CurvePoint(point.Step, point.Loss, point.Step * each))));
    }

    private static TrainingCurve Checked(string path, TrainingCurve curve) => curve.Points.Count >= LeastPoints
        ? curve
        : throw new UserErrorException(
            string.Create(CultureInfo.InvariantCulture, $"'{path}' has {curve.Points.Count} losses, too few for a slope."),
            string.Create(CultureInfo.InvariantCulture, $"Log at least {LeastPoints}, better fifty."));
}
