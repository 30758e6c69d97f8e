namespace Espalier.Interop;

/// <summary>The tensors of a model as they lie on disk: in one safetensors file, or in the shards of an index.</summary>
internal sealed class StoredTensors : IDisposable
{
    /// <summary>The file of a model in one piece.</summary>
    public const string SingleFile = "model.safetensors";

    /// <summary>The index of a model in several pieces.</summary>
    public const string IndexFile = SingleFile + ".index.json";

    private const string IndexExtension = ".index.json";

    private static readonly string[] PickleExtensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _fileOf = new(StringComparer.Ordinal);

    private StoredTensors(string path)
    {
        Path = path;
        try
        {
            if (path.EndsWith(IndexExtension, StringComparison.Ordinal))
            {
                OpenShards();
            }
            else
            {
                Add(SafetensorsFile.Open(path));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The file, or the index of the files.</summary>
    public string Path { get; }

    /// <summary>The names of all tensors, as they are stored.</summary>
    public IReadOnlyCollection<string> Names => _fileOf.Keys;

    /// <summary>Whether a tensor is stored.</summary>
    public bool Contains(string name) => _fileOf.ContainsKey(name);

    /// <summary>The file that holds a tensor.</summary>
    public SafetensorsFile FileOf(string name) => _fileOf[name];

    /// <summary>A tensor's type and shape.</summary>
    public SafetensorsEntry this[string name] => _fileOf[name][name];

    /// <summary>Opens the tensors of a model.</summary>
    /// <param name="path">A folder with <see cref="SingleFile"/> or <see cref="IndexFile"/>, a safetensors file, or an index.</param>
    /// <exception cref="UserErrorException">There are none, they are pickled, or they break a rule of the format.</exception>
    public static StoredTensors Open(string path) => new(Directory.Exists(path) ? Find(path) : Accept(path));

    /// <summary>Whether two stored tensors have the same type, shape and bytes.</summary>
    public bool AreEqual(string a, string b)
    {
        SafetensorsEntry left = this[a], right = this[b];
        return left.DType == right.DType
            && left.Shape.SequenceEqual(right.Shape)
            && Chunks(left.ByteLength).All(chunk => FileOf(a).Bytes(a, chunk.Offset, chunk.Length)
                .SequenceEqual(FileOf(b).Bytes(b, chunk.Offset, chunk.Length)));

        static IEnumerable<(long Offset, int Length)> Chunks(long bytes)
        {
            const int Chunk = 1 << 26;
            for (long offset = 0; offset < bytes; offset += Chunk)
            {
                yield return (offset, (int)Math.Min(Chunk, bytes - offset));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static string Find(string folder)
    {
        foreach (string name in new[] { SingleFile, IndexFile })
        {
            string path = System.IO.Path.Combine(folder, name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        throw Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).FirstOrDefault(IsPickle) is string pickle
            ? Pickled(pickle)
            : new UserErrorException($"{folder} holds neither {SingleFile} nor {IndexFile}.");
    }

    private static string Accept(string path) =>
        IsPickle(path) ? throw Pickled(path)
        : path.EndsWith(".safetensors", StringComparison.Ordinal) || path.EndsWith(IndexExtension, StringComparison.Ordinal) ? path
        : throw new UserErrorException(
            $"{path} is neither a folder nor a .safetensors file.", $"Name a model's folder, or its {SingleFile}.");

    private static bool IsPickle(string path) =>
        PickleExtensions.Contains(System.IO.Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    private static UserErrorException Pickled(string path) => new(
        $"{path} is a pickle file, which may run any code when it is read: Espalier reads safetensors only.",
        "If you trust it, convert it with Hugging Face's transformers: AutoModelForCausalLM.from_pretrained('FOLDER')" +
        ".save_pretrained('NEW_FOLDER'), with AutoModelForMaskedLM for BERT, writes safetensors.");

    private void Add(SafetensorsFile file)
    {
        _files.Add(file);
        foreach (string name in file.Names)
        {
            _fileOf.Add(name, file);
        }
    }

    private void OpenShards()
    {
        IReadOnlyDictionary<string, string> index = SafetensorsIndex.Read(Path);
        string folder = System.IO.Path.GetDirectoryName(Path)!;
        string[] shards = [.. index.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        string[] missing = [.. shards.Where(shard => !File.Exists(System.IO.Path.Combine(folder, shard)))];
        if (missing.Length > 0)
        {
            throw new UserErrorException(
                $"{Path}: {missing.Length} of its {shards.Length} files {(missing.Length == 1 ? "is" : "are")} missing: " +
                $"{string.Join(", ", missing.Take(5))}{(missing.Length > 5 ? ", ..." : ".")}",
                "Copy or download the whole folder again.");
        }

        foreach (string shard in shards)
        {
            SafetensorsFile file = SafetensorsFile.Open(System.IO.Path.Combine(folder, shard));
            _files.Add(file);
            foreach (string name in file.Names)
            {
                if (index.GetValueOrDefault(name) != shard)
                {
                    throw new UserErrorException(
                        $"{file.Path} holds the tensor '{name}', which {System.IO.Path.GetFileName(Path)} " +
                        (index.TryGetValue(name, out string? other) ? $"places in {other}." : "does not list."));
                }

                _fileOf.Add(name, file);
            }
        }

        if (index.FirstOrDefault(pair => !Contains(pair.Key)) is { Key: string lost, Value: string place })
        {
            throw new UserErrorException($"{Path} places the tensor '{lost}' in {place}, which does not hold it.");
        }
    }
}
