using System.Text.Json;
using System.Text.Json.Nodes;
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

    /// <summary>A metadata value that is JSON.</summary>
    public JsonElement Metadata(string key) => JsonDocument.Parse(_file.Metadata[key]).RootElement;

    /// <summary>The model of its `config`.</summary>
    public ModelConfig Model()
    {
        JsonElement config = Metadata("config");
        if (config.GetProperty("model_type").GetString() is "llama" or "qwen3")
        {
            return HuggingFaceConfig.Read("golden", JsonNode.Parse(config.GetRawText())!.AsObject());
        }

        return config.GetProperty("model_type").GetString() == "bert"
            ? new BertConfig
            {
                Layers = Int("num_hidden_layers"),
                HiddenSize = Int("hidden_size"),
                Heads = Int("num_attention_heads"),
                FfnSize = Int("intermediate_size"),
                ContextLength = Int("max_position_embeddings"),
                VocabularySize = Int("vocab_size"),
                TypeVocabularySize = Int("type_vocab_size"),
                LayerNormEpsilon = config.GetProperty("layer_norm_eps").GetDouble(),
            }
            : new Gpt2Config
            {
                Layers = Int("n_layer"),
                HiddenSize = Int("n_embd"),
                Heads = Int("n_head"),
                FfnSize = config.TryGetProperty("n_inner", out JsonElement inner) && inner.ValueKind == JsonValueKind.Number
                    ? inner.GetInt32() : null,
                ContextLength = Int("n_positions"),
                VocabularySize = Int("vocab_size"),
                LayerNormEpsilon = config.GetProperty("layer_norm_epsilon").GetDouble(),
                TiedHead = config.GetProperty("tie_word_embeddings").GetBoolean(),
            };

        int Int(string key) => config.GetProperty(key).GetInt32();
    }

    public ParameterSet Parameters(ModelConfig model) => new(
        model.Architecture.Parameters(model).Select(
            spec => new Parameter(spec, ParameterSet.Trainable(this["param." + spec.Name]))));

    public void Dispose() => _file.Dispose();

    private static ScalarType TypeOf(SafetensorsDType type) => type switch
    {
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.I64 => ScalarType.Int64,
        _ => throw new NotSupportedException($"golden files hold no {type}"),
    };
}
