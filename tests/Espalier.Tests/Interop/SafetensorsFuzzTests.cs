using System.Globalization;
using System.Text;
using Espalier.Interop;
using Espalier.Tests.Data;
using Xunit.Abstractions;

namespace Espalier.Tests.Interop;

/// <summary>
/// Mutated files are read or refused with a message that names them; nothing else may happen, and no number in a file may
/// cost memory. ESPALIER_FUZZ_CASES says how many.
/// </summary>
[Trait("Kind", "Slow")]
public sealed class SafetensorsFuzzTests(ITestOutputHelper output) : IDisposable
{
    private static readonly int Cases = int.Parse(
        Environment.GetEnvironmentVariable("ESPALIER_FUZZ_CASES") ?? "20000", CultureInfo.InvariantCulture);

    private static readonly string[] Splices =
    [
        "9223372036854775807", "18446744073709551615", "-1", "1e9", "[", "]", "{", "}", "\"", ",", "\\ud800",
        "\"dtype\":\"F64\"", "\"__metadata__\":{}", "\"weight_map\":{}", "../", "/", "\0", "[[[[[[[[", "null", "0",
    ];

    // In memory where the system offers it: thousands of small files would wait for a disk for minutes.
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files()
    {
        string path = _folder.File("model.safetensors");
        SafetensorsWriter.Write(path,
        [
            new SafetensorsTensor("h.0.weight", SafetensorsDType.F32, [1, 2], new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }),
            new SafetensorsTensor("h.0.bias", SafetensorsDType.BF16, [2], new byte[] { 1, 2, 3, 4 }),
            new SafetensorsTensor("é", SafetensorsDType.Bool, [3], new byte[] { 1, 0, 1 }),
        ]);
        Fuzz(path, firstBytes: 8);
    }

    [Fact]
    public void Indices()
    {
        SafetensorsWriter.Write(_folder.File("a.safetensors"),
            [new SafetensorsTensor("h.0.weight", SafetensorsDType.F32, [1], new byte[] { 1, 2, 3, 4 })]);
        SafetensorsWriter.Write(_folder.File("b.safetensors"),
            [new SafetensorsTensor("é", SafetensorsDType.U8, [2], new byte[] { 1, 2 })]);
        Fuzz(
            _folder.Write(
                "model.safetensors.index.json",
                """{"metadata": {"total_size": 6}, "weight_map": {"h.0.weight": "a.safetensors", "é": "b.safetensors"}}"""),
            firstBytes: 1);
    }

    /// <param name="path">The sound file, which is overwritten by mutations of it.</param>
    /// <param name="firstBytes">Bytes that are hit more often than others.</param>
    private void Fuzz(string path, int firstBytes)
    {
        byte[] sound = File.ReadAllBytes(path);
        (int read, int refused) = (0, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Cases; i++)
        {
            File.WriteAllBytes(path, Mutated(sound, i, firstBytes));
            try
            {
                using StoredTensors stored = StoredTensors.Open(path);
                long sum = 0;
                foreach (string name in stored.Names)
                {
                    foreach (byte value in stored.FileOf(name).Bytes(name))
                    {
                        sum += value;
                    }
                }

                Assert.True(sum >= 0);
                read++;
            }
            catch (UserErrorException e)
            {
                Assert.Contains(_folder.Path, e.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        output.WriteLine($"{Path.GetFileName(path)}: {Cases} mutated, {read} read, {refused} refused");
        Assert.Equal(Cases, read + refused);
        Assert.True(read > Cases / 100 && refused > Cases / 2, $"{read} read, {refused} refused");
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Cases, 0, 100_000);
    }

    private static byte[] Mutated(byte[] sound, int number, int firstBytes)
    {
        var random = new CounterRandom(42, RandomPurpose.Generation, number);
        var bytes = new List<byte>(sound);
        uint draw = 0;
        int Next(int bound) => (int)random.NextBelow((ulong)bound, draw++);
        for (int edits = 1 + Next(3); edits > 0 && bytes.Count > 0; edits--)
        {
            int at = Next(3) == 0 ? Next(Math.Min(firstBytes, bytes.Count)) : Next(bytes.Count);
            switch (Next(6))
            {
                case 0: bytes[at] = (byte)Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << Next(8)); break;
                case 2: bytes.RemoveRange(at, Math.Min(1 + Next(8), bytes.Count - at)); break;
                case 3: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Splices[Next(Splices.Length)])); break;
                case 4: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(Next(80), bytes.Count - at))); break;
                default: bytes[at] = (byte)('0' + Next(10)); break;
            }
        }

        return [.. bytes];
    }
}
