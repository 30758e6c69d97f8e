using System.Diagnostics;
using Espalier.Data;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>A run goes on from what it wrote, on the data that it began with, or not at all.</summary>
public sealed class ChecksumTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    /// <summary>One bit anywhere in any file, wherever it falls: in a weight it would only make another model.</summary>
    [Fact]
    public void OneFlippedBitIsFound()
    {
        string run = Stopped(12), checkpoint = TinyRun.Checkpoint(run, 12);
        string[] files = [.. Directory.GetFiles(checkpoint).Order(StringComparer.Ordinal)];
        Assert.Contains(files, file => file.EndsWith("optimizer.safetensors", StringComparison.Ordinal));
        foreach (string file in files)
        {
            byte[] sound = File.ReadAllBytes(file);
            var random = new CounterRandom(5, RandomPurpose.BatchOrder, file.Length);
            for (uint i = 0; i < 4; i++)
            {
                byte[] flipped = [.. sound];
                flipped[random.NextBelow((ulong)sound.Length, 2 * i)] ^= (byte)(1 << (int)random.NextBelow(8, (2 * i) + 1));
                File.WriteAllBytes(file, flipped);
                var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe));
                Assert.StartsWith($"{checkpoint} is damaged: ", exception.Message, StringComparison.Ordinal);
                Assert.Contains("write step-00000008 into", exception.Hint, StringComparison.Ordinal);
                Assert.Contains(Verification.Of(run), one => one is { IsDamaged: true } && one.Path == checkpoint);
            }

            File.WriteAllBytes(file, sound);
        }

        Assert.All(Verification.Of(run), one => Assert.Equal("as it was written", one.Verdict));
        Assert.Equal(2, Verification.Of(run).Count());
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
    }

    [Fact]
    public void WeightsOfAnotherRunAreRefused()
    {
        string run = Stopped(8);
        string other = _folder.File("other");
        Assert.False(TinyRun.Go(other, TinyRun.Recipe with { Seed = 99 }, stopAfter: 8));
        File.Copy(
            Path.Combine(TinyRun.Checkpoint(other, 8), "model.safetensors"), Path.Combine(TinyRun.Checkpoint(run, 8), "model.safetensors"),
            overwrite: true);
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe));
        Assert.Contains("model.safetensors is not as it was written", exception.Message, StringComparison.Ordinal);
        Assert.Contains("begin anew in another folder", exception.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileTooManyOrTooFewIsFound()
    {
        string checkpoint = TinyRun.Checkpoint(Stopped(8), 8);
        File.WriteAllText(Path.Combine(checkpoint, "more.txt"), "");
        File.Delete(Path.Combine(checkpoint, "config.json"));
        Assert.Equal(["config.json is missing", "more.txt does not belong to it"], Checksums.Problems(checkpoint));
        File.WriteAllText(Path.Combine(checkpoint, Checksums.Name), "nonsense\n");
        Assert.Equal(["SHA256SUMS is damaged"], Checksums.Problems(checkpoint));
    }

    /// <summary>Other text under the same path, of the same vocabulary.</summary>
    [Fact]
    public void OtherDataUnderTheSamePathIsRefused()
    {
        string run = Stopped(8);
        Dataset other = TinyRun.Data with { Inputs = new string('0', 64) };
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe, data: other));
        Assert.Contains("was trained on other data", exception.Message, StringComparison.Ordinal);
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
    }

    /// <summary>The list is one that everybody's tool reads.</summary>
    [Fact]
    [Trait("Kind", "Process")]
    public void Sha256sumReadsTheList()
    {
        var start = new ProcessStartInfo("sha256sum", ["--check", "--strict", "--quiet", Checksums.Name])
        {
            WorkingDirectory = TinyRun.Checkpoint(Stopped(8), 8), RedirectStandardError = true, RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void ADatasetIsVerifiedToo()
    {
        Dataset data = TinyRun.Prepare(_folder);
        Assert.False(Assert.Single(Verification.Of(data.Folder)).IsDamaged);
        string shard = Path.Combine(data.Folder, "train.shard");
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[^9] ^= 1;
        File.WriteAllBytes(shard, bytes);
        Assert.True(Assert.Single(Verification.Of(data.Folder)).IsDamaged);
        Assert.Contains("no run", Assert.Throws<UserErrorException>(() => Verification.Of(_folder.Path)).Message, StringComparison.Ordinal);
    }

    private string Stopped(int step)
    {
        string run = _folder.File("run");
        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: step));
        return run;
    }
}
