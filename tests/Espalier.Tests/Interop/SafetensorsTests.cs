using System.Buffers.Binary;
using System.Text;
using Espalier.Interop;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Interop;

public sealed class SafetensorsTests : IDisposable
{
    // In memory where the system offers it: thousands of small files would wait for a disk for minutes.
    private readonly string _folder = Directory.CreateDirectory(Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"safetensors-{Guid.NewGuid():N}")).FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Composed by hand from the format's rules and the order in which Hugging Face's library sorts.</summary>
    [Fact]
    public void WritesWhatHuggingFaceWrites()
    {
        string path = NewPath();
        SafetensorsWriter.Write(path,
        [
            Tensor("flag", SafetensorsDType.Bool, [3], 1, 0, 1),
            Tensor("é\"/<", SafetensorsDType.F32, [1, 2], 0, 0, 128, 63, 0, 0, 0, 64),
            Tensor("a.bias", SafetensorsDType.F32, [], 0, 0, 64, 64),
            Tensor("ids", SafetensorsDType.I64, [1], 7, 0, 0, 0, 0, 0, 0, 0),
            Tensor("empty", SafetensorsDType.BF16, [0, 4]),
        ]);

        string header = """
            {"__metadata__":{"format":"pt"},"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a.bias":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"é\"/<":{"dtype":"F32","shape":[1,2],"data_offsets":[12,20]},"empty":{"dtype":"BF16","shape":[0,4],"data_offsets":[20,20]},"flag":{"dtype":"BOOL","shape":[3],"data_offsets":[20,23]}}
            """;
        byte[] expected = FileOf(header + new string(' ', (8 - (Encoding.UTF8.GetByteCount(header) % 8)) % 8),
            [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 64, 0, 0, 128, 63, 0, 0, 0, 64, 1, 0, 1]);
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        Gen<SafetensorsTensor[]> tensors = Gen.Choose(0, 6).SelectMany(count =>
            Gen.Elements(Enum.GetValues<SafetensorsDType>()).ArrayOf(count).SelectMany(dtypes =>
                Gen.Choose(0, 4).Select(n => (long)n).ArrayOf().Resize(4).ArrayOf(count).SelectMany(shapes =>
                    ArbMap.Default.GeneratorFor<NonNull<string>>().Where(IsText).ArrayOf(count).Select(names =>
                        names.Select((name, i) => Random($"{name.Get}#{i}", dtypes[i], shapes[i])).ToArray()))));
        Check.QuickThrowOnFailure(Prop.ForAll(tensors.ToArbitrary(), written =>
        {
            string path = NewPath(), shuffled = NewPath();
            SafetensorsWriter.Write(path, written);
            SafetensorsWriter.Write(shuffled, written.Reverse());
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(shuffled));

            using SafetensorsFile file = SafetensorsFile.Open(path);
            Assert.Equal(written.Length, file.Entries.Count);
            Assert.Equal("pt", file.Metadata["format"]);
            foreach (SafetensorsTensor tensor in written)
            {
                var bytes = new MemoryStream();
                tensor.Write(bytes);
                SafetensorsEntry entry = file[tensor.Name];
                Assert.Equal((tensor.Name, tensor.DType, tensor.ByteLength), (entry.Name, entry.DType, entry.ByteLength));
                Assert.Equal(tensor.Shape, entry.Shape);
                Assert.Equal(bytes.ToArray(), file.Bytes(tensor.Name).ToArray());
            }
        }));
    }

    [Theory]
    [InlineData("", "does not begin with '{'")]
    [InlineData(" {}", "does not begin with '{'")]
    [InlineData("[]", "does not begin with '{'")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{} x", "not valid JSON")]
    [InlineData("{}{}", "not valid JSON")]
    [InlineData("""{"\ud800":1}""", "not valid JSON")]
    [InlineData("""{"a":1}""", "'a' must be an object")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "'a' is listed twice")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "'a' has its dtype twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":0}}""", "'a' has an unknown property 'x'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4]}}""", "'a' lacks")]
    [InlineData("""{"a":{"dtype":"F12","shape":[4],"data_offsets":[0,4]}}""", "'a' has the unknown dtype 'F12'")]
    [InlineData("""{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}""", "'a' has the unknown dtype 'f32'")]
    [InlineData("""{"a":{"dtype":8,"shape":[4],"data_offsets":[0,4]}}""", "'a' has a dtype that is not a string")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", "'a' has a shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}}""", "'a' has a shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}}""", "'a' has a shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}}""", "'a' has a shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]}}""", "'a' has a shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", "does not fill")]
    [InlineData("""{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}""", "does not fill")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}}""", "'a' of U8 [3] does not fill its 4 bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}""", "not [begin, end]")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}}""", "not [begin, end]")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}""", "'a' leaves a hole")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", "'b' overlaps")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", "take 3 bytes, but 4 follow")]
    [InlineData("""{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}}""", "take 5 bytes, but 4 follow")]
    [InlineData("""{"__metadata__":{"a":1},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "must be an object of strings")]
    [InlineData("""{"__metadata__":{"a":"1","a":"1"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "has the key 'a' twice")]
    public void AFlawIsNamed(string header, string flaw)
    {
        string path = NewPath();
        File.WriteAllBytes(path, FileOf(header, [1, 2, 3, 4]));
        var error = Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(flaw, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(0UL, 7)]
    [InlineData(3UL, 10)]
    [InlineData(100_000_001UL, 20)]
    [InlineData(ulong.MaxValue, 20)]
    [InlineData((ulong)long.MaxValue, 20)]
    public void AHeaderLongerThanTheFileIsRefused(ulong claimed, int fileLength)
    {
        string path = NewPath();
        byte[] bytes = new byte[Math.Max(fileLength, 8)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, claimed);
        File.WriteAllBytes(path, bytes[..fileLength]);
        Assert.Contains(path, Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void MissingFilesFoldersAndTensorsAreUserErrors()
    {
        Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(NewPath()));
        Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(Path.Combine(_folder, "no", "such")));
        Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(_folder));
        Assert.Throws<UserErrorException>(() => SafetensorsWriter.Write(_folder, []));

        string path = NewPath();
        SafetensorsWriter.Write(path, [Tensor("a", SafetensorsDType.U8, [1], 1)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Contains("'b'", Assert.Throws<UserErrorException>(() => file.Address("b")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WriterRefusesWrongSizesAndNames()
    {
        Assert.Throws<InvalidOperationException>(() =>
            SafetensorsWriter.Write(NewPath(), [Tensor("a", SafetensorsDType.F32, [2], 1, 2, 3)]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(NewPath(),
            [Tensor("a", SafetensorsDType.U8, [1], 1), Tensor("a", SafetensorsDType.U8, [1], 2)]));
        Assert.Throws<ArgumentException>(() =>
            SafetensorsWriter.Write(NewPath(), [Tensor("__metadata__", SafetensorsDType.U8, [1], 1)]));
        Assert.Throws<ArgumentException>(() => Tensor("a", SafetensorsDType.F64, [long.MaxValue]));
    }

    private static bool IsText(NonNull<string> text)
    {
        try
        {
            new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(text.Get);
            return true;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    private static SafetensorsTensor Tensor(string name, SafetensorsDType dtype, long[] shape, params byte[] bytes) =>
        new(name, dtype, shape, bytes);

    private static SafetensorsTensor Random(string name, SafetensorsDType dtype, long[] shape)
    {
        byte[] bytes = new byte[shape.Aggregate((long)dtype.ByteSize(), (product, size) => product * size)];
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)new CounterRandom((ulong)name.Length, RandomPurpose.Generation).NextUInt64((uint)i);
        }

        return new SafetensorsTensor(name, dtype, shape, bytes);
    }

    private static byte[] FileOf(string header, byte[] buffer)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        return [.. length, .. json, .. buffer];
    }

    private string NewPath() => Path.Combine(_folder, $"{Guid.NewGuid():N}.safetensors");
}
