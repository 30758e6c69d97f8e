using Espalier.Data;

namespace Espalier.Training;

/// <summary>What holding a checkpoint or a dataset to its checksums came to.</summary>
/// <param name="Path">What was looked at.</param>
/// <param name="Verdict">In words.</param>
/// <param name="IsDamaged">Whether something is not as it was written.</param>
public sealed record Verification(string Path, string Verdict, bool IsDamaged)
{
    /// <summary>Verifies a dataset, a checkpoint, or all checkpoints of a run.</summary>
    /// <param name="path">Its folder.</param>
    /// <exception cref="UserErrorException">It is none of them, or cannot be read.</exception>
    public static IEnumerable<Verification> Of(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, Dataset.FileName)))
        {
            return [OfDataset(path)];
        }

        if (Checkpoint.Is(path))
        {
            return [OfCheckpoint(path)];
        }

        string[] checkpoints = RunDirectory.CheckpointsOf(path);
        return checkpoints.Length > 0 ? checkpoints.Select(OfCheckpoint) : throw new UserErrorException(
            $"{path} is no run with a checkpoint, no checkpoint, and no prepared dataset.", "Name one of them.");
    }

    private static Verification OfCheckpoint(string path)
    {
        if (!Checksums.AreIn(path))
        {
            return new Verification(path, "written before there were checksums: nothing to hold it to", IsDamaged: false);
        }

        string[] problems = [.. Checksums.Problems(path)];
        return problems.Length == 0 ? new Verification(path, "as it was written", IsDamaged: false)
            : new Verification(path, $"DAMAGED: {string.Join("; ", problems)}", IsDamaged: true);
    }

    private static Verification OfDataset(string path)
    {
        try
        {
            Dataset dataset = Dataset.Open(path);
            _ = dataset.LoadTokenizer();
            using TokenShard train = dataset.OpenTrain(), valid = dataset.OpenValid();
            return new Verification(path, "as it was written", IsDamaged: false);
        }
        catch (UserErrorException exception)
        {
            return new Verification(path, $"DAMAGED: {exception.Message}", IsDamaged: true);
        }
    }
}
