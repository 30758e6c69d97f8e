using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;

namespace Espalier.Tests.Interop;

/// <summary>What a config.json may ask for, and what is refused by name.</summary>
public sealed class HuggingFaceConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>As Python writes them, whose readers tell 0 from 0.0.</summary>
    [Fact]
    public void FloatsAreWrittenAsFloats()
    {
        string gpt2 = HuggingFaceConfig.Write(Sample.Model(1), ByteLevelBpe.RawBytes);
        string llama = HuggingFaceConfig.Write(
            GrowthSample.Llama(1) with { RopeScaling = new RopeScaling(RopeType.Llama3, 8, 1, 4, 8192) }, ByteLevelBpe.RawBytes);
        Assert.All(
            ["\"attn_pdrop\": 0.0,", "\"layer_norm_epsilon\": 1e-05,", "\"initializer_range\": 0.02,", "\"n_embd\": 16,"],
            line => Assert.Contains(line, gpt2, StringComparison.Ordinal));
        Assert.All(
            ["\"rope_theta\": 10000.0,", "\"factor\": 8.0,", "\"original_max_position_embeddings\": 8192", "\"attention_dropout\": 0.0,"],
            line => Assert.Contains(line, llama, StringComparison.Ordinal));
    }

    /// <summary>As the config.json of an architecture of somebody's own: here the ones that there are stand in for it.</summary>
    [Fact]
    public void AConfigOfARecordsOwnKeysIsReadAsItWasWritten()
    {
        ModelConfig[] models =
        [
            Sample.Model(3) with { FfnSize = 40, TiedHead = false, LayerNormEpsilon = 1e-7 },
            Sample.Bert(2),
            GrowthSample.Llama(1) with { VocabularySize = 31, RopeScaling = new RopeScaling(RopeType.Llama3, 8, 1, 4, 8192), RopeTheta = 1e6 },
        ];
        Assert.All(models, model => Assert.Equal(model, Read(model, _ => { })));

        Assert.Equal("config.json: the key 'n_embd' is missing.", Refused(json => json.Remove("n_embd")).Message);
        Assert.Equal("config.json: the key 'vocab_size' is missing.", Refused(json => json["vocab_size"] = null).Message);
        UserErrorException wrong = Refused(json => json["n_layer"] = "many");
        Assert.Equal(("config.json: n_layer `many` is of the wrong type.", "Write a whole number."), (wrong.Message, wrong.Hint));
        Assert.Equal("config.json: n_layer is a list.", Refused(json => json["n_layer"] = new JsonArray(1)).Message);
        Assert.StartsWith("config.json: n_layer `{}` is", Refused(json => json["n_layer"] = new JsonObject()).Message, StringComparison.Ordinal);

        UserErrorException Refused(Action<JsonObject> change) => Assert.Throws<UserErrorException>(() => Read(models[0], change));

        static ModelConfig Read(ModelConfig model, Action<JsonObject> change)
        {
            var format = new PlainJson(model.GetType());
            var json = (JsonObject)JsonNode.Parse(format.Write(model, ByteLevelBpe.RawBytes).ToJsonString())!;
            change(json);
            return format.Read(new ConfigReader("config.json", json));
        }
    }

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        Gpt2Config gpt2 = Sample.Model(3) with
        {
            FfnSize = 40,
            LayerNormEpsilon = 1e-6,
            InitializerRange = 0.1,
            EmbeddingDropout = 0.1,
            AttentionDropout = 0.2,
            ResidualDropout = 0.3,
            TiedHead = false,
        };
        BertConfig bert = Sample.Bert(3) with
        {
            FfnSize = 40,
            LayerNormEpsilon = 1e-6,
            InitializerRange = 0.1,
            HiddenDropout = 0.1,
            AttentionDropout = 0.2,
            TypeVocabularySize = 3,
            TiedHead = false,
        };
        LlamaConfig llama = GrowthSample.Llama(3) with
        {
            FfnSize = 40,
            LayerNormEpsilon = 1e-5,
            InitializerRange = 0.1,
            RopeTheta = 500000,
            RopeScaling = new RopeScaling(RopeType.Llama3, 8, 1, 4, 8192),
            AttentionBias = true,
            AttentionDropout = 0.2,
            MlpBias = true,
            TiedHead = true,
        };
        Qwen3Config qwen = new()
        {
            Layers = 2, HiddenSize = 16, Heads = 4, ContextLength = 12, VocabularySize = 31,
            RopeScaling = new RopeScaling(RopeType.Linear, 2.5),
        };
        foreach (ModelConfig model in new ModelConfig[] { gpt2, bert, llama, qwen, Sample.Model(1), Sample.Bert(1), GrowthSample.Llama(1) })
        {
            Assert.Equal(model, Read(HuggingFaceConfig.Write(model, ByteLevelBpe.RawBytes)));
        }
    }

    /// <summary>The config.json of the published gpt2 and bert-base-uncased, as to the keys that matter.</summary>
    [Fact]
    public void PublishedConfigurations()
    {
        Assert.Equal(
            new Gpt2Config
            {
                Layers = 12, HiddenSize = 768, Heads = 12, ContextLength = 1024, VocabularySize = 50257,
                EmbeddingDropout = 0.1, AttentionDropout = 0.1, ResidualDropout = 0.1,
            },
            Read("""
                {"activation_function":"gelu_new","architectures":["GPT2LMHeadModel"],"attn_pdrop":0.1,"bos_token_id":50256,
                "embd_pdrop":0.1,"eos_token_id":50256,"initializer_range":0.02,"layer_norm_epsilon":1e-05,"model_type":"gpt2",
                "n_ctx":1024,"n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"resid_pdrop":0.1,
                "summary_activation":null,"summary_first_dropout":0.1,"task_specific_params":{"text-generation":{"max_length":50}},
                "vocab_size":50257,"pruned_heads":{}}
                """));
        Assert.Equal(
            new BertConfig
            {
                Layers = 12, HiddenSize = 768, Heads = 12, ContextLength = 512, VocabularySize = 30522,
                HiddenDropout = 0.1, AttentionDropout = 0.1,
            },
            Read("""
                {"architectures":["BertForMaskedLM"],"attention_probs_dropout_prob":0.1,"gradient_checkpointing":false,
                "hidden_act":"gelu","hidden_dropout_prob":0.1,"hidden_size":768,"initializer_range":0.02,
                "intermediate_size":3072,"layer_norm_eps":1e-12,"max_position_embeddings":512,"model_type":"bert",
                "num_attention_heads":12,"num_hidden_layers":12,"pad_token_id":0,"position_embedding_type":"absolute",
                "transformers_version":"4.6.0.dev0","type_vocab_size":2,"use_cache":true,"vocab_size":30522}
                """));
    }

    [Theory]
    [InlineData("activation_function", "\"relu\"", "activation_function is \"relu\"")]
    [InlineData("scale_attn_weights", "false", "scale_attn_weights is false")]
    [InlineData("scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx is true")]
    [InlineData("reorder_and_upcast_attn", "true", "reorder_and_upcast_attn is true")]
    [InlineData("add_cross_attention", "true", "add_cross_attention is true")]
    [InlineData("is_encoder_decoder", "true", "is_encoder_decoder is true")]
    [InlineData("pruned_heads", "{\"0\":[1]}", "pruned_heads is set")]
    [InlineData("quantization_config", "{\"bits\":4}", "quantization_config is set")]
    [InlineData("model_type", "\"mistral\"", "model_type is 'mistral'")]
    [InlineData("model_type", "null", "the key 'model_type' is missing")]
    [InlineData("n_layer", "null", "the key 'n_layer' is missing")]
    [InlineData("n_layer", "\"12\"", "the key 'n_layer' has the wrong type")]
    [InlineData("n_layer", "1.5", "the key 'n_layer' has the wrong type")]
    [InlineData("n_layer", "99999999999999999999", "the key 'n_layer' has the wrong type")]
    [InlineData("n_layer", "1000000000", "n_layer is 1000000000")]
    [InlineData("n_layer", "-1", "n_layer is -1")]
    [InlineData("n_embd", "-16", "n_embd is -16")]
    [InlineData("n_head", "3", "n_head 3 does not divide n_embd 16")]
    [InlineData("layer_norm_epsilon", "0", "layer_norm_epsilon is 0")]
    [InlineData("resid_pdrop", "1.5", "resid_pdrop is 1.5")]
    public void WhatGpt2DoesNotComputeIsNamed(string key, string value, string says) =>
        Refuses(Sample.Model(2), key, value, says);

    [Theory]
    [InlineData("hidden_act", "\"gelu_new\"", "hidden_act is \"gelu_new\"")]
    [InlineData("position_embedding_type", "\"relative_key\"", "position_embedding_type is \"relative_key\"")]
    [InlineData("is_decoder", "true", "is_decoder is true")]
    [InlineData("add_cross_attention", "true", "add_cross_attention is true")]
    [InlineData("num_attention_heads", "5", "num_attention_heads 5 does not divide hidden_size 16")]
    [InlineData("type_vocab_size", "0", "type_vocab_size is 0")]
    [InlineData("intermediate_size", "null", "the key 'intermediate_size' is missing")]
    public void WhatBertDoesNotComputeIsNamed(string key, string value, string says) =>
        Refuses(Sample.Bert(2), key, value, says);

    [Theory]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act is \"gelu\"")]
    [InlineData("rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4}", "rope_scaling has the type \"yarn\"")]
    [InlineData("rope_scaling", "{\"type\":\"dynamic\",\"factor\":4}", "rope_scaling has the type \"dynamic\"")]
    [InlineData("rope_parameters", "{\"rope_type\":\"longrope\"}", "rope_parameters has the type \"longrope\"")]
    [InlineData("rope_scaling", "{\"type\":\"linear\"}", "rope_scaling: the key 'factor' is missing")]
    [InlineData("rope_scaling", "{\"type\":\"linear\",\"factor\":0}", "rope_scaling has a factor that is not above 0")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads 3 does not divide num_attention_heads 4")]
    [InlineData("head_dim", "5", "head_dim is 5")]
    public void WhatLlamaDoesNotComputeIsNamed(string key, string value, string says) => Refuses(GrowthSample.Llama(2), key, value, says);

    [Theory]
    [InlineData("use_sliding_window", "true", "use_sliding_window is true")]
    [InlineData("layer_types", "[\"full_attention\",\"sliding_attention\"]", "layer_types has \"sliding_attention\"")]
    public void WhatQwen3DoesNotComputeIsNamed(string key, string value, string says) => Refuses(
        new Qwen3Config { Layers = 2, HiddenSize = 16, Heads = 4, ContextLength = 12, VocabularySize = 31 }, key, value, says);

    /// <summary>Transformers 5 writes one section of rotary keys, 4 two keys.</summary>
    [Fact]
    public void RotaryKeysOfBothVersions()
    {
        const string Sizes = "\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":2,\"intermediate_size\":100,\"vocab_size\":9";
        var older = (LlamaConfig)Read($"{{\"model_type\":\"llama\",{Sizes},\"rope_theta\":500000,\"rope_scaling\":{{\"type\":\"linear\",\"factor\":2}}}}");
        var newer = (LlamaConfig)Read($"{{\"model_type\":\"llama\",{Sizes},\"rope_parameters\":{{\"rope_theta\":500000,\"rope_type\":\"linear\",\"factor\":2}}}}");
        Assert.Equal(older, newer);
        Assert.Equal((500000, "linear 2", 2048, false), (older.RopeTheta, older.RopeScaling.ToString(), older.ContextLength, older.TiedHead));
        Assert.Equal(128, Read($"{{\"model_type\":\"qwen3\",{Sizes},\"num_key_value_heads\":2}}").HeadSize);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("""{"model_type":"gpt2","model_type":"bert"}""")]
    public void WhatIsNoJsonObjectIsRefused(string text) =>
        Assert.Contains("config.json", Assert.Throws<UserErrorException>(() => Read(text)).Message, StringComparison.Ordinal);

    private void Refuses(ModelConfig model, string key, string value, string says)
    {
        JsonObject json = JsonNode.Parse(HuggingFaceConfig.Write(model, ByteLevelBpe.RawBytes))!.AsObject();
        json[key] = JsonNode.Parse(value);
        var error = Assert.Throws<UserErrorException>(() => Read(json.ToJsonString()));
        Assert.Contains("config.json: " + says, error.Message, StringComparison.Ordinal);
    }

    private ModelConfig Read(string text) => HuggingFaceConfig.Read(_folder.Write("config.json", text));
}
