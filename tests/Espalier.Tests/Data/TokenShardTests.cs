using System.Buffers.Binary;
using System.Text;
using Espalier.Data;

namespace Espalier.Tests.Data;

public class TokenShardTests
{
    private static readonly string Fingerprint = ByteLevelBpe.RawBytes.Fingerprint;

    private static string Write(TemporaryFolder folder, int vocabularySize, params int[] tokens)
    {
        string path = folder.File("a.shard");
        using var writer = new TokenShardWriter(path, vocabularySize, Fingerprint);
        writer.Append(tokens.AsSpan(0, tokens.Length / 3));
        writer.Append(tokens.AsSpan(tokens.Length / 3));
        writer.Complete();
        return path;
    }

    /// <summary>Two vectors of RFC 3720, B.4: 32 bytes of 0, and those from 0 to 31; the tokens come in two parts.</summary>
    [Fact]
    public void ChecksumsAreThePublishedOnes()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(0x8A9136AAu, PayloadChecksum(new int[16]));
        Assert.Equal(0x46DD794Eu, PayloadChecksum([.. Enumerable.Range(0, 16).Select(i => (2 * i) | (((2 * i) + 1) << 8))]));

        uint PayloadChecksum(int[] tokens) =>
            BinaryPrimitives.ReadUInt32LittleEndian(File.ReadAllBytes(Write(folder, 65536, tokens)).AsSpan(56));
    }

    [Theory]
    [InlineData(257, 2)]
    [InlineData(65536, 2)]
    [InlineData(65537, 4)]
    public void TokensComeBack(int vocabularySize, int bytesPerToken)
    {
        using var folder = new TemporaryFolder();
        int[] tokens = [.. Enumerable.Range(0, 1000).Select(i => i * 7919 % vocabularySize), vocabularySize - 1];
        string path = Write(folder, vocabularySize, tokens);
        Assert.Equal(64 + (bytesPerToken * 1001), new FileInfo(path).Length);

        using TokenShard shard = TokenShard.Open(path);
        Assert.Equal((1001, vocabularySize, Fingerprint), (shard.Count, shard.VocabularySize, shard.TokenizerFingerprint));
        var read = new long[1001];
        shard.CopyTo(0, read);
        Assert.Equal(tokens.Select(t => (long)t), read);
        shard.CopyTo(990, read.AsSpan(0, 11));
        Assert.Equal(tokens[990..].Select(t => (long)t), read[..11]);
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.CopyTo(991, new long[11]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.CopyTo(-1, new long[1]));
    }

    [Fact]
    public void EveryFlippedBitIsNoticed()
    {
        using var folder = new TemporaryFolder();
        string path = Write(folder, 257, 1, 2, 3, 256, 5);
        byte[] bytes = File.ReadAllBytes(path);
        for (int bit = 0; bit < 8 * bytes.Length; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            File.WriteAllBytes(path, bytes);
            RequireRefusal(path);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void EveryOtherLengthIsNoticed()
    {
        using var folder = new TemporaryFolder();
        string path = Write(folder, 257, 1, 2, 3, 256, 5);
        byte[] bytes = File.ReadAllBytes(path);
        for (int length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            RequireRefusal(path);
        }

        File.WriteAllBytes(path, [.. bytes, 0]);
        RequireRefusal(path);
        File.WriteAllBytes(path, bytes);
        TokenShard.Open(path).Dispose();
    }

    [Fact]
    public void ForeignAndMissingFilesAreRefused()
    {
        using var folder = new TemporaryFolder();
        RequireRefusal(folder.Write("foreign.shard", Encoding.ASCII.GetBytes(new string('x', 500))));
        RequireRefusal(folder.File("missing.shard"));
    }

    /// <summary>Headers whose checksum is right, but whose content is not.</summary>
    [Theory]
    [InlineData(3, 257, 5)]
    [InlineData(0, 257, 5)]
    [InlineData(2, 0, 5)]
    [InlineData(2, -1, 5)]
    [InlineData(2, 257, -1)]
    [InlineData(2, 257, long.MaxValue)]
    [InlineData(4, 257, 5)]
    public void HeadersThatContradictTheFileAreRefused(int bytesPerToken, int vocabularySize, long count)
    {
        using var folder = new TemporaryFolder();
        var header = new TokenShardHeader(bytesPerToken, vocabularySize, count, Fingerprint, 0);
        RequireRefusal(folder.Write("a.shard", [.. header.ToBytes(), .. new byte[10]]));
    }

    [Fact]
    public void AnUnfinishedShardLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new TokenShardWriter(folder.File("a.shard"), 257, Fingerprint))
        {
            writer.Append([1, 2, 3]);
            Assert.Throws<ArgumentOutOfRangeException>(() => writer.Append([257]));
            Assert.Throws<ArgumentOutOfRangeException>(() => writer.Append([-1]));
        }

        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static void RequireRefusal(string path)
    {
        var error = Assert.Throws<UserErrorException>(() => TokenShard.Open(path).Dispose());
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }
}
