using System.Text.Json;

namespace Espalier.Interop;

/// <summary>
/// The JSON header of a safetensors file, read strictly: what the format does not define is refused, so that no two
/// readers can understand one file differently.
/// </summary>
internal sealed class SafetensorsHeader
{
    private readonly string _path;
    private readonly Dictionary<string, SafetensorsEntry> _entries = new(StringComparer.Ordinal);
    private Dictionary<string, string>? _metadata;

    private SafetensorsHeader(string path) => _path = path;

    /// <summary>The tensors in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> InFileOrder { get; private set; } = [];

    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => _entries;

    public IReadOnlyDictionary<string, string> Metadata => _metadata ?? [];

    /// <param name="path">For messages only.</param>
    /// <param name="json">The header without its length.</param>
    /// <param name="bufferLength">Bytes after the header, which the tensors must cover exactly.</param>
    /// <exception cref="UserErrorException">The header breaks a rule of the format.</exception>
    public static SafetensorsHeader Parse(string path, ReadOnlySpan<byte> json, long bufferLength)
    {
        var header = new SafetensorsHeader(path);
        try
        {
            header.ReadJson(json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8, or half of a surrogate pair.
            throw SafetensorsFile.Damaged(path, "its header is not valid JSON", e);
        }

        header.CheckCoverage(bufferLength);
        return header;
    }

    private void ReadJson(ReadOnlySpan<byte> json)
    {
        if (json.IsEmpty || json[0] != (byte)'{')
        {
            throw SafetensorsFile.Damaged(_path, "its header does not begin with '{'");
        }

        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (name == "__metadata__")
            {
                ReadMetadata(ref reader);
            }
            else if (!_entries.TryAdd(name, ReadEntry(ref reader, name)))
            {
                throw Damaged(name, "is listed twice");
            }
        }

        // The reader itself refuses anything but white space after the object.
        while (reader.Read())
        {
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        const string Name = "__metadata__";
        if (_metadata is not null)
        {
            throw Damaged(Name, "is listed twice");
        }

        _metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        Expect(ref reader, JsonTokenType.StartObject, Name, "must be an object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            Expect(ref reader, JsonTokenType.String, Name, "must be an object of strings");
            if (!_metadata.TryAdd(key, reader.GetString()!))
            {
                throw Damaged(Name, $"has the key '{Shortened(key)}' twice");
            }
        }
    }

    private SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        SafetensorsDType? dtype = null;
        List<long>? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, name, "must be an object with dtype, shape and data_offsets");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            switch (key)
            {
                case "dtype" when dtype is null:
                    dtype = ReadDType(ref reader, name);
                    break;
                case "shape" when shape is null:
                    shape = ReadNaturals(ref reader, name, key);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNaturals(ref reader, name, key);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Damaged(name, $"has its {key} twice");
                default:
                    throw Damaged(name, $"has an unknown property '{Shortened(key)}'");
            }
        }

        if (dtype is null || shape is null || offsets is null)
        {
            throw Damaged(name, "lacks its dtype, shape or data_offsets");
        }

        if (offsets.Count != 2 || offsets[0] > offsets[1])
        {
            throw Damaged(name, "has data_offsets that are not [begin, end]");
        }

        if (!SafetensorsEntry.TryByteLength(dtype.Value, shape, out long bytes) || bytes != offsets[1] - offsets[0])
        {
            throw Damaged(name, $"of {dtype.Value.Name()} [{Shortened(string.Join(", ", shape))}] " +
                $"does not fill its {offsets[1] - offsets[0]} bytes");
        }

        return new SafetensorsEntry(name, dtype.Value, [.. shape], offsets[0], bytes);
    }

    private SafetensorsDType ReadDType(ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.String, name, "has a dtype that is not a string");
        string text = reader.GetString()!;
        return SafetensorsDTypes.TryParse(text, out SafetensorsDType dtype)
            ? dtype
            : throw Damaged(name, $"has the unknown dtype '{Shortened(text)}'");
    }

    private List<long> ReadNaturals(ref Utf8JsonReader reader, string name, string key)
    {
        string rule = $"has a {key} that is not a list of whole numbers from 0 to 2^63 - 1";
        Expect(ref reader, JsonTokenType.StartArray, name, rule);
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
            {
                throw Damaged(name, rule);
            }

            numbers.Add(number);
        }

        return numbers;
    }

    private void Expect(ref Utf8JsonReader reader, JsonTokenType token, string name, string rule)
    {
        if (!reader.Read() || reader.TokenType != token)
        {
            throw Damaged(name, rule);
        }
    }

    private void CheckCoverage(long bufferLength)
    {
        // Empty tensors share their offset with a neighbour: they sort before the tensor that begins there.
        InFileOrder = [.. _entries.Values
            .OrderBy(e => e.Offset).ThenBy(e => e.ByteLength).ThenBy(e => e.Name, StringComparer.Ordinal)];
        long covered = 0;
        foreach (SafetensorsEntry entry in InFileOrder)
        {
            if (entry.Offset != covered)
            {
                throw Damaged(entry.Name, entry.Offset < covered
                    ? $"overlaps the tensor before it: it begins at byte {entry.Offset}, not {covered}"
                    : $"leaves a hole before it: it begins at byte {entry.Offset}, not {covered}");
            }

            covered += entry.ByteLength;
        }

        if (covered != bufferLength)
        {
            throw SafetensorsFile.Damaged(
                _path, $"its tensors take {covered} bytes, but {bufferLength} follow the header");
        }
    }

    private UserErrorException Damaged(string tensor, string flaw) =>
        SafetensorsFile.Damaged(_path, $"tensor '{Shortened(tensor)}' {flaw}");

    private static string Shortened(string text) => text.Length <= 100 ? text : text[..100] + "...";
}
