using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Interop;

/// <summary>The tensors of a model on disk, each matched with the parameter that it is.</summary>
internal sealed class ModelWeights : IDisposable
{
    private const int MostProblems = 8;

    // What to do about each kind of problem.
    private const string Missing =
        $"The weights are not complete, or {HuggingFaceConfig.FileName} is of a larger model: copy both from one model.";
    private const string Superfluous =
        $"{HuggingFaceConfig.FileName} is of a smaller or another model: copy the one that belongs to the weights.";
    private const string WrongShape =
        $"{HuggingFaceConfig.FileName} and the weights are of different models: copy both from one.";
    private const string Twice = "Save the model again with one name for each tensor.";
    private const string Different =
        $"Where the model does have two, {HuggingFaceConfig.FileName} must say \"tie_word_embeddings\": false.";
    private const string NoNumbers =
        "F16, BF16, F32 and F64 are read, quantized models are not: take the weights from before they were quantized.";

    private readonly StoredTensors _stored;
    private readonly TensorNames _names;
    private readonly ISequenceHead? _head;
    private readonly bool _isUntied;

    // What must be there, what may be there for whole sequences, and what may be there without being read.
    private readonly ParameterSpec[] _required, _sequenceHead, _unread;

    // The stored name, by parameter.
    private readonly Dictionary<string, string> _storedAs = new(StringComparer.Ordinal);
    private readonly List<string> _unused = [];
    private readonly List<string> _taskHeads = [];
    private readonly List<ParameterSpec> _missing = [];
    private readonly List<(string What, string Remedy)> _problems = [];

    private ModelWeights(StoredTensors stored, ModelConfig model, bool asLanguageModel, int? classifierOutputs)
    {
        _stored = stored;
        _names = HuggingFaceFormat.Of(model).Names;
        _isUntied = !model.TiedHead;
        _head = model.Architecture.SequenceHead;
        ILookup<bool, ParameterSpec> isBackbone =
            model.Architecture.Parameters(model).ToLookup(spec => _head?.IsBackbone(spec.Name) ?? true);
        ParameterSpec[] languageHead = [.. isBackbone[false]];
        _required = [.. isBackbone[true], .. asLanguageModel ? languageHead : []];
        _unread = asLanguageModel ? [] : languageHead;
        _sequenceHead =
        [
            .. (_head?.Parameters(model, classifierOutputs ?? 1) ?? [])
                .Where(spec => classifierOutputs is not null || _head!.IsBackbone(spec.Name)),
        ];
        Match();
        if (asLanguageModel && _problems.Count == 0 && _missing.Count + _taskHeads.Count > 0
            && _missing.SequenceEqual(languageHead))
        {
            throw NoLanguageModel(model);
        }

        _problems.AddRange(_missing.Select(spec => ($"missing: {Described(spec)}", Missing)));
        if (asLanguageModel)
        {
            _problems.AddRange(_taskHeads.Select(stored => ($"superfluous: {Described(stored)}", Superfluous)));
        }

        if (_problems.Count > 0)
        {
            throw new UserErrorException(
                $"{stored.Path} does not hold the model that {HuggingFaceConfig.FileName} describes:\n  " +
                string.Join("\n  ", _problems.Take(MostProblems).Select(problem => problem.What)) +
                (_problems.Count > MostProblems ? $"\n  and {_problems.Count - MostProblems} more" : ""),
                string.Join(' ', _problems.Take(MostProblems).Select(problem => problem.Remedy).Distinct()));
        }
    }

    /// <summary>The names of tensors that Espalier leaves aside, as they are stored.</summary>
    public IReadOnlyList<string> Unused => _unused;

    /// <summary>Opens the weights of a language model.</summary>
    /// <param name="path">What <see cref="StoredTensors.Open"/> takes.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="UserErrorException">Tensors are missing, superfluous, of another shape or no numbers: all named.</exception>
    public static ModelWeights OpenLanguageModel(string path, ModelConfig model) =>
        Open(path, stored => new ModelWeights(stored, model, asLanguageModel: true, classifierOutputs: null));

    /// <summary>Opens what lies below a model's head, whatever head that is.</summary>
    /// <param name="path">What <see cref="StoredTensors.Open"/> takes.</param>
    /// <param name="model">The model.</param>
    /// <param name="classifierOutputs">The outputs of the head for whole sequences, where that is wanted.</param>
    /// <exception cref="UserErrorException">As for <see cref="OpenLanguageModel"/>.</exception>
    public static ModelWeights OpenBackbone(string path, ModelConfig model, int? classifierOutputs) =>
        Open(path, stored => new ModelWeights(stored, model, asLanguageModel: false, classifierOutputs));

    /// <summary>The parameters, in single precision.</summary>
    public ParameterSet Read(Device device) => new(_required.Select(spec =>
        new Parameter(spec, ParameterSet.Trainable(Read(spec, device)))));

    /// <summary>What is stored of the head for whole sequences, in single precision, by today's names.</summary>
    public IReadOnlyDictionary<string, Tensor> ReadSequenceHead(Device device) => _sequenceHead
        .Where(spec => _storedAs.ContainsKey(spec.Name))
        .ToDictionary(spec => spec.Name, spec => Read(spec, device));

    /// <inheritdoc/>
    public void Dispose() => _stored.Dispose();

    private static ModelWeights Open(string path, Func<StoredTensors, ModelWeights> match)
    {
        StoredTensors stored = StoredTensors.Open(path);
        try
        {
            return match(stored);
        }
        catch
        {
            stored.Dispose();
            throw;
        }
    }

    private Tensor Read(ParameterSpec spec, Device device)
    {
        string stored = _storedAs[spec.Name];
        return TensorFile.Read(_stored.FileOf(stored), stored, spec.Shape, device);
    }

    private void Match()
    {
        ParameterSpec[] known = [.. _required, .. _sequenceHead, .. _unread];
        HashSet<string> names = known.Select(spec => spec.Name).ToHashSet(StringComparer.Ordinal);
        var copies = new List<(string Stored, string Of)>();
        foreach (string stored in _stored.Names.Order(StringComparer.Ordinal))
        {
            string name = _names.Canonical(stored, IsKnown);
            if (names.Contains(name))
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
            else if (_names.TaskHeads.IsMatch(name))
            {
                _taskHeads.Add(stored);
            }
            else if (!_names.Constants.IsMatch(name))
            {
                _problems.Add(($"superfluous: {Described(stored)}", Superfluous));
            }
        }

        foreach ((string stored, string original) in copies)
        {
            if (_storedAs.TryAdd(original, stored))
            {
                continue;
            }

            if (_stored.AreEqual(stored, _storedAs[original]))
            {
                continue;
            }

            if (_isUntied && _names.InUseWhenUntied.Contains(_names.Canonical(stored, IsKnown)))
            {
                _unused.Add(_storedAs[original]);
                _storedAs[original] = stored;
            }
            else
            {
                _problems.Add(
                    ($"different: {stored} and {_storedAs[original]}, which are one tensor in this model", Different));
            }
        }

        foreach (ParameterSpec spec in known)
        {
            if (_storedAs.TryGetValue(spec.Name, out string? stored))
            {
                Check(stored, spec.Shape);
            }
        }

        _missing.AddRange(_required.Where(spec => !_storedAs.ContainsKey(spec.Name)));

        bool IsKnown(string name) =>
            names.Contains(name) || _names.Copies.ContainsKey(name) || _names.Constants.IsMatch(name)
            || _names.Unused.IsMatch(name) || _names.TaskHeads.IsMatch(name);
    }

    private void Place(string name, string stored)
    {
        if (!_storedAs.TryAdd(name, stored))
        {
            _problems.Add(($"twice: {stored} and {_storedAs[name]} are names of one tensor", Twice));
        }
    }

    private void Check(string stored, long[] shape)
    {
        SafetensorsEntry entry = _stored[stored];
        if (!entry.Shape.SequenceEqual(shape))
        {
            _problems.Add((
                $"wrong shape: {stored} is {Brackets(entry.Shape)}, {HuggingFaceConfig.FileName} asks for {Brackets(shape)}",
                WrongShape));
        }
        else if (!TensorFile.IsFloatingPoint(entry.DType))
        {
            _problems.Add(($"no floating-point numbers: {Described(stored)}", NoNumbers));
        }
    }

    private UserErrorException NoLanguageModel(ModelConfig model)
    {
        bool isClassifier = (_head?.Parameters(model, outputs: 1) ?? []).Any(spec => _taskHeads.Contains(spec.Name));
        string what = _taskHeads.Count == 0 ? "a bare backbone"
            : $"{(isClassifier ? "a classifier" : "a model for another task")} ({string.Join(", ", _taskHeads)})";
        return new UserErrorException(
            $"{_stored.Path} holds no language model but {what}" +
            (_missing.Count > 0 ? $": it lacks {string.Join(", ", _missing.Select(Described))}." : "."),
            "It is fit for espalier finetune only, which puts a head of its own on it.");
    }

    private static string Described(ParameterSpec spec) => $"{spec.Name} {Brackets(spec.Shape)}";

    private string Described(string stored) =>
        $"{stored} {_stored[stored].DType.Name()} {Brackets(_stored[stored].Shape)}";

    private static string Brackets(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
