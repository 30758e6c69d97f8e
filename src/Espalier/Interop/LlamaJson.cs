using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A Llama's <c>config.json</c>: the keys and defaults of Hugging Face's <c>LlamaConfig</c>.</summary>
internal sealed class LlamaJson : RotaryJson
{
    public override JsonObject Write(ModelConfig model, Tokenizer tokenizer)
    {
        var llama = (LlamaConfig)model;
        JsonObject json = Write(llama, tokenizer, "LlamaForCausalLM");
        json["mlp_bias"] = llama.MlpBias;
        return json;
    }

    public override ModelConfig Read(ConfigReader json)
    {
        int hidden = json.Required<int>("hidden_size"), heads = json.Required<int>("num_attention_heads");
        int? headDim = json.Optional<int?>("head_dim", null);
        return Read(json, new LlamaConfig
        {
            HiddenSize = hidden,
            Heads = heads,
            ContextLength = json.Optional("max_position_embeddings", 2048),
            HeadDim = (long?)headDim * heads == hidden ? null : headDim,
            KeyValueHeads = json.Optional<int?>("num_key_value_heads", null),
            MlpBias = json.Optional("mlp_bias", false),
        });
    }
}
