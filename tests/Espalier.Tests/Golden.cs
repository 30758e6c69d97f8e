using System.Text.Json;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests;

/// <summary>A file of reference values, computed outside of Espalier by tests/tools; its `about` metadata explains it.</summary>
internal sealed class Golden : IDisposable
{
    private readonly SafetensorsFile _file;

    private Golden(SafetensorsFile file) => _file = file;

    /// <summary>A file of tests/Espalier.Tests/golden, or `reference`: that of `espalier selftest`.</summary>
    public static Golden Open(string name) =>
        new(SafetensorsFile.Open(Path.Combine(AppContext.BaseDirectory, "golden", name + ".safetensors")));

    public Tensor this[string name] =>
        Tensor.FromBytes(_file.Bytes(name), [.. _file[name].Shape], TypeOf(_file[name].DType));

    public bool Contains(string name) => _file.Contains(name);

    /// <summary>A metadata value that is JSON.</summary>
    public JsonElement Metadata(string key) => JsonDocument.Parse(_file.Metadata[key]).RootElement;

    public ModelConfig Model()
    {
        JsonElement config = Metadata("config");
        return new Gpt2Config
        {
            Layers = config.GetProperty("n_layer").GetInt32(),
            HiddenSize = config.GetProperty("n_embd").GetInt32(),
            Heads = config.GetProperty("n_head").GetInt32(),
            ContextLength = config.GetProperty("n_positions").GetInt32(),
            VocabularySize = config.GetProperty("vocab_size").GetInt32(),
            LayerNormEpsilon = config.GetProperty("layer_norm_epsilon").GetDouble(),
            TiedHead = config.GetProperty("tie_word_embeddings").GetBoolean(),
        };
    }

    public ParameterSet Parameters(ModelConfig model) => new(
        Architectures.Of(model.ModelType).Parameters(model).Select(
            spec => new Parameter(spec, ParameterSet.Trainable(this["param." + spec.Name]))));

    public void Dispose() => _file.Dispose();

    private static ScalarType TypeOf(SafetensorsDType type) => type switch
    {
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.I64 => ScalarType.Int64,
        _ => throw new NotSupportedException($"golden files hold no {type}"),
    };
}
