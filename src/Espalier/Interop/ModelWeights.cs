using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Interop;

/// <summary>The tensors of a model on disk, each matched with the parameter that it is.</summary>
internal sealed class ModelWeights : IDisposable
{
    private const int MostProblems = 8;

    private readonly StoredTensors _stored;
    private readonly TensorNames _names;
    private readonly IReadOnlyList<ParameterSpec> _specs;
    private readonly IReadOnlyDictionary<string, long[]> _extras;

    // The stored name, by parameter.
    private readonly Dictionary<string, string> _storedAs = new(StringComparer.Ordinal);
    private readonly List<string> _unused = [];
    private readonly List<string> _problems = [];

    private ModelWeights(StoredTensors stored, ModelConfig model)
    {
        _stored = stored;
        _names = TensorNames.Of(model.ModelType);
        _specs = Architectures.Of(model.ModelType).Parameters(model);
        _extras = _names.Extras(model);
        Match();
        if (_problems.Count > 0)
        {
            throw new UserErrorException(
                $"{stored.Path} does not hold the model that {HuggingFaceConfig.FileName} describes:\n  " +
                string.Join("\n  ", _problems.Take(MostProblems)) +
                (_problems.Count > MostProblems ? $"\n  and {_problems.Count - MostProblems} more" : ""),
                "The two belong to different models, or a file was cut short.");
        }
    }

    /// <summary>The names of tensors that Espalier leaves aside, as they are stored.</summary>
    public IReadOnlyList<string> Unused => _unused;

    /// <summary>Opens the weights of a model.</summary>
    /// <param name="path">What <see cref="StoredTensors.Open"/> takes.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="UserErrorException">Tensors are missing, superfluous, of another shape or no numbers: all named.</exception>
    public static ModelWeights Open(string path, ModelConfig model)
    {
        StoredTensors stored = StoredTensors.Open(path);
        try
        {
            return new ModelWeights(stored, model);
        }
        catch
        {
            stored.Dispose();
            throw;
        }
    }

    /// <summary>The parameters, in single precision.</summary>
    public ParameterSet Read(Device device) => new(_specs.Select(spec =>
        new Parameter(spec, ParameterSet.Trainable(Read(spec.Name, spec.Shape, device)))));

    /// <summary>Those of <see cref="TensorNames.Extras"/> that are stored, in single precision, by today's names.</summary>
    public IReadOnlyDictionary<string, Tensor> ReadExtras(Device device) => _extras
        .Where(extra => _storedAs.ContainsKey(extra.Key))
        .ToDictionary(extra => extra.Key, extra => Read(extra.Key, extra.Value, device));

    /// <inheritdoc/>
    public void Dispose() => _stored.Dispose();

    private Tensor Read(string name, long[] shape, Device device) =>
        TensorFile.Read(_stored.FileOf(_storedAs[name]), _storedAs[name], shape, device);

    private void Match()
    {
        Dictionary<string, long[]> wanted = _specs.ToDictionary(spec => spec.Name, spec => spec.Shape, StringComparer.Ordinal);
        foreach ((string name, long[] shape) in _extras)
        {
            wanted.Add(name, shape);
        }

        var copies = new List<(string Stored, string Of)>();
        foreach (string stored in _stored.Names.Order(StringComparer.Ordinal))
        {
            string name = _names.Canonical(stored, IsKnown);
            if (wanted.ContainsKey(name))
            {
                Place(name, stored);
            }
            else if (_names.Copies.TryGetValue(name, out string? original))
            {
                copies.Add((stored, original));
            }
            else if (_names.Unused.IsMatch(name))
            {
                _unused.Add(stored);
            }
            else if (!_names.Constants.IsMatch(name))
            {
                _problems.Add($"superfluous: {Described(stored)}");
            }
        }

        foreach ((string stored, string original) in copies)
        {
            if (_storedAs.TryAdd(original, stored))
            {
                continue;
            }

            if (!_stored.AreEqual(stored, _storedAs[original]))
            {
                _problems.Add($"different: {stored} and {_storedAs[original]}, which are one tensor in this model");
            }
        }

        foreach ((string name, long[] shape) in wanted)
        {
            if (_storedAs.TryGetValue(name, out string? stored))
            {
                Check(stored, shape);
            }
            else if (!_extras.ContainsKey(name))
            {
                _problems.Add($"missing: {name} {Brackets(shape)}");
            }
        }

        bool IsKnown(string name) =>
            wanted.ContainsKey(name) || _names.Copies.ContainsKey(name)
            || _names.Constants.IsMatch(name) || _names.Unused.IsMatch(name);
    }

    private void Place(string name, string stored)
    {
        if (!_storedAs.TryAdd(name, stored))
        {
            _problems.Add($"twice: {stored} and {_storedAs[name]} are names of one tensor");
        }
    }

    private void Check(string stored, long[] shape)
    {
        SafetensorsEntry entry = _stored[stored];
        if (!entry.Shape.SequenceEqual(shape))
        {
            _problems.Add($"wrong shape: {stored} is {Brackets(entry.Shape)}, {HuggingFaceConfig.FileName} asks for {Brackets(shape)}");
        }
        else if (!TensorFile.IsFloatingPoint(entry.DType))
        {
            _problems.Add($"no floating-point numbers: {Described(stored)}");
        }
    }

    private string Described(string stored) =>
        $"{stored} {_stored[stored].DType.Name()} {Brackets(_stored[stored].Shape)}";

    private static string Brackets(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
