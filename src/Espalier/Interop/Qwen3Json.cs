using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A Qwen3's <c>config.json</c>: the keys and defaults of Hugging Face's <c>Qwen3Config</c>.</summary>
internal sealed class Qwen3Json : RotaryJson
{
    private const string FullAttention = "full_attention";

    public override JsonObject Write(ModelConfig model, Tokenizer tokenizer) => Write((Qwen3Config)model, tokenizer, "Qwen3ForCausalLM");

    public override ModelConfig Read(ConfigReader json)
    {
        json.Demand("use_sliding_window", false);
        if (json.Values("layer_types").FirstOrDefault(type => type != FullAttention) is string other)
        {
            throw json.Refused("layer_types", $"has \"{other}\"", $"Espalier computes such models with \"{FullAttention}\" only.");
        }

        return Read(json, new Qwen3Config
        {
            HiddenSize = json.Required<int>("hidden_size"),
            Heads = json.Required<int>("num_attention_heads"),
            ContextLength = json.Optional("max_position_embeddings", 32768),
            HeadDim = json.Optional("head_dim", 128),
            KeyValueHeads = json.Optional<int?>("num_key_value_heads", 32),
        });
    }
}
