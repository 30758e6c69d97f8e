using System.Buffers.Binary;
using System.Text;
using Espalier.Interop;

namespace Espalier.Tests.Interop;

public sealed class TensorBoardTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tensorboard-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A whole file against bytes composed by hand from event.proto (CRCs by a bitwise reference).</summary>
    [Fact]
    public void AFileIsItsRecords()
    {
        var clock = new StoppedClock(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_500));
        using (var writer = new TensorBoardWriter(_folder, firstStep: 300, clock: clock))
        {
            writer.Scalars(300, ("train/loss", 2.5), ("lr", -1));
        }

        string path = Assert.Single(Directory.GetFiles(_folder));
        Assert.StartsWith("events.out.tfevents.1700000000.", Path.GetFileName(path), StringComparison.Ordinal);
        byte[] time = [0x09, .. BitConverter.GetBytes(1_700_000_000.5)];
        byte[] version = [.. time, 0x10, 0, 0x1A, 13, .. "brain.Event:2"u8];
        byte[] start = [.. time, 0x10, 0xAC, 0x02, 0x3A, 2, 0x08, 1];
        byte[] loss = [0x0A, 10, .. "train/loss"u8, 0x15, 0, 0, 0x20, 0x40];
        byte[] rate = [0x0A, 2, .. "lr"u8, 0x15, 0, 0, 0x80, 0xBF];
        byte[] scalars = [.. time, 0x10, 0xAC, 0x02, 0x2A, 30, 0x0A, 17, .. loss, 0x0A, 9, .. rate];
        Assert.Equal([.. Framed(version), .. Framed(start), .. Framed(scalars)], File.ReadAllBytes(path));
    }

    [Fact]
    public void AWriterNeverTouchesEarlierFilesAndSortsAfterThem()
    {
        var clock = new StoppedClock(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000));
        for (int i = 0; i < 3; i++)
        {
            using var writer = new TensorBoardWriter(_folder, clock: clock);
            writer.Scalars(i, ($"tag{i}", i));
        }

        string[] files = [.. Directory.GetFiles(_folder).Order(StringComparer.Ordinal)];
        Assert.Equal(3, files.Length);
        for (int i = 0; i < 3; i++)
        {
            Assert.Contains($"tag{i}", Encoding.Latin1.GetString(File.ReadAllBytes(files[i])), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void FlushedValuesAreInTheFile()
    {
        using var writer = new TensorBoardWriter(_folder);
        writer.Scalars(1, ("train/loss", 3));
        writer.Flush();
        using var stream = new FileStream(
            Directory.GetFiles(_folder).Single(), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        Assert.Contains("train/loss", Encoding.Latin1.GetString(bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderThatCannotBeMadeIsAUserError()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        var error = Assert.Throws<UserErrorException>(() => new TensorBoardWriter(Path.Combine(file, "tensorboard")));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
    }

    private static byte[] Framed(byte[] data)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, data.Length);
        return [.. length, .. MaskedCrc(length), .. data, .. MaskedCrc(data)];
    }

    private static byte[] MaskedCrc(byte[] data)
    {
        uint crc = ~0u;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
            }
        }

        crc = ~crc;
        return BitConverter.GetBytes(unchecked(((crc >> 15) | (crc << 17)) + 0xA282EAD8));
    }

    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
