using Espalier.Data;
using Espalier.Interop;
using Espalier.Training;

namespace Espalier.Reporting;

/// <summary>
/// What a run's held-out loss is a loss of: the model's objective, the text and its tokens. Losses of different measures
/// cannot be compared. What a run's folder does not say is null, and differs from nothing.
/// </summary>
internal sealed record HeldOutMeasure(string? ModelType, string? DataPath, string? TokenizerFingerprint)
{
    /// <summary>What the folder of a run says.</summary>
    public static HeldOutMeasure Of(RunMetrics run) => new(
        run.RecipeValue("model", "model_type"), run.RecipeValue("data", "path"), FingerprintOf(run.Folder));

    /// <summary>What differs, in words; nothing where losses can be compared.</summary>
    public IEnumerable<string> DifferencesFrom(HeldOutMeasure other)
    {
        if (Differ(ModelType, other.ModelType))
        {
            yield return $"model.model_type is {ModelType} and {other.ModelType}";
        }

        if (Differ(DataPath, other.DataPath) && !IsSameData(DataPath!, other.DataPath!))
        {
            yield return $"data.path is {DataPath} and {other.DataPath}";
        }

        if (Differ(TokenizerFingerprint, other.TokenizerFingerprint))
        {
            yield return "their tokenizers are not the same";
        }
    }

    private static bool Differ(string? a, string? b) => a is not null && b is not null && a != b;

    /// <summary>Whether two paths lead to one folder, or to two of the same content.</summary>
    private static bool IsSameData(string a, string b) =>
        Path.TrimEndingDirectorySeparator(Path.GetFullPath(a)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(b))
        || (IfReadable(() => Dataset.Open(a).Inputs) is string inputs && inputs == IfReadable(() => Dataset.Open(b).Inputs));

    /// <summary>By its checkpoint: the data may have gone, or been prepared anew, since.</summary>
    private static string? FingerprintOf(string run) => IfReadable(() =>
        RunDirectory.LatestCheckpointOf(run) is string checkpoint
            ? Tokenizer.Load(Path.Combine(checkpoint, ModelFolder.TokenizerFile)).Fingerprint
            : null);

    // A comparison takes metrics alone; nothing else need be there.
    private static string? IfReadable(Func<string?> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is UserErrorException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
