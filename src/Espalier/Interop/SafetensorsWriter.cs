using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Espalier.Interop;

/// <summary>Writes safetensors files as Hugging Face's own library does, byte for byte.</summary>
internal static class SafetensorsWriter
{
    private const int Alignment = 8;
    private const int BufferSize = 1 << 20;

    private static readonly Dictionary<string, string> PyTorch = new() { ["format"] = "pt" };

    /// <summary>
    /// Writes a new file and flushes it to the disk. Tensors are asked for their bytes one after the other, so the whole
    /// file is never in memory. The same tensors give the same bytes in whatever order they come: they are sorted by
    /// element type, the largest first, then by name. The caller renames the file (or its folder) into place.
    /// </summary>
    /// <param name="path">The file; overwritten if it exists.</param>
    /// <param name="tensors">Tensors with distinct names.</param>
    /// <param name="metadata">The <c>__metadata__</c> map; by default <c>format: pt</c>, which transformers expects.</param>
    /// <returns>The SHA-256 of the file, taken from what is written, so that nobody needs to read it again.</returns>
    /// <exception cref="UserErrorException">The disk is full, or the file cannot be written.</exception>
    /// <exception cref="ArgumentException">Two tensors share a name.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape has.</exception>
    public static string Write(
        string path, IEnumerable<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        SafetensorsTensor[] sorted = [.. tensors
            .OrderByDescending(t => t.DType)
            .ThenBy(t => t.Name, StringComparer.Ordinal)];
        byte[] header = Header(sorted, metadata ?? PyTorch);
        try
        {
            using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, BufferSize);
            using var sha = SHA256.Create();
            using var hashed = new CryptoStream(stream, sha, CryptoStreamMode.Write, leaveOpen: true);
            hashed.Write(header);
            foreach (SafetensorsTensor tensor in sorted)
            {
                long begin = stream.Position;
                tensor.Write(hashed);
                if (stream.Position - begin != tensor.ByteLength)
                {
                    throw new InvalidOperationException(
                        $"Tensor '{tensor.Name}' wrote {stream.Position - begin} bytes instead of {tensor.ByteLength}.");
                }
            }

            hashed.FlushFinalBlock();
            stream.Flush(flushToDisk: true);
            return Convert.ToHexStringLower(sha.Hash!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"Cannot write '{path}': {e.Message}", "Free some space, or choose a folder that you may write to.", e);
        }
    }

    private static byte[] Header(SafetensorsTensor[] tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(stackalloc byte[sizeof(ulong)]);
        using (var json = new Utf8JsonWriter(buffer, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (SafetensorsTensor tensor in tensors)
            {
                if (!names.Add(tensor.Name))
                {
                    throw new ArgumentException($"Two tensors are named '{tensor.Name}'.", nameof(tensors));
                }

                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.DType.Name());
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [offset, checked(offset += tensor.ByteLength)]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.WrittenCount % Alignment != 0)
        {
            buffer.Write(" "u8);
        }

        byte[] bytes = buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)(bytes.Length - sizeof(ulong)));
        return bytes;
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, IReadOnlyList<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (long number in numbers)
        {
            json.WriteNumberValue(number);
        }

        json.WriteEndArray();
    }
}
