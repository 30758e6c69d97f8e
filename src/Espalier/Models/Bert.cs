using Espalier.Data;
using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// BERT with its masked-language-model head, as Hugging Face's <c>BertForMaskedLM</c> defines it: norms after the
/// sublayers, learned positions and segments, exact GELU, and a head of its own transform and norm before the decoder,
/// which is by default the token embedding. Linear weights lie (out, in).
/// </summary>
internal sealed class Bert : IArchitecture
{
    // Axes in the names and comments: B sequences, T positions, C hidden, F feed-forward, V vocabulary.
    private const string TokenEmbedding = "bert.embeddings.word_embeddings.weight";
    private const string PositionEmbedding = "bert.embeddings.position_embeddings.weight";
    private const string TypeEmbedding = "bert.embeddings.token_type_embeddings.weight";
    private const string EmbeddingNorm = "bert.embeddings.LayerNorm";
    private const string HeadTransform = "cls.predictions.transform.dense";
    private const string HeadNorm = "cls.predictions.transform.LayerNorm";
    private const string HeadBias = "cls.predictions.bias";
    private const string UntiedDecoder = "cls.predictions.decoder.weight";

    /// <inheritdoc/>
    public bool NormsComeFirst => false;

    /// <inheritdoc/>
    public ISequenceHead SequenceHead => new BertSequenceHead();

    /// <inheritdoc/>
    public IObjective Objective(Tokenizer tokenizer) => new MaskedToken(tokenizer);

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config)
    {
        var hidden = new Axis(AxisKind.Hidden, AxisSide.None, config.HiddenSize);
        Axis hiddenIn = hidden with { Side = AxisSide.Input };
        Axis hiddenOut = hidden with { Side = AxisSide.Output };
        var headsIn = new Axis(AxisKind.Heads, AxisSide.Input, config.Heads, config.HeadSize);
        Axis headsOut = headsIn with { Side = AxisSide.Output };
        var ffnOut = new Axis(AxisKind.Ffn, AxisSide.Output, config.FfnWidth);
        Axis ffnIn = ffnOut with { Side = AxisSide.Input };
        var vocabulary = new Axis(AxisKind.Vocabulary, AxisSide.None, config.Vocabulary);
        var positions = new Axis(AxisKind.Position, AxisSide.None, config.ContextLength);
        var types = new Axis(AxisKind.Type, AxisSide.None, ((BertConfig)config).TypeVocabularySize);

        List<ParameterSpec> specs =
        [
            Shared(TokenEmbedding, [vocabulary, hiddenOut], Initialization.Normal),
            Shared(PositionEmbedding, [positions, hiddenOut], Initialization.Normal),
            Shared(TypeEmbedding, [types, hiddenOut], Initialization.Normal),
            .. SharedNorm(EmbeddingNorm),
        ];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            specs.AddRange(
            [
                .. Linear("attention.self.query", headsOut, hiddenIn).Select(spec => spec with { MakesQueries = true }),
                .. Linear("attention.self.key", headsOut, hiddenIn),
                .. Linear("attention.self.value", headsOut, hiddenIn),
                .. Linear("attention.output.dense", hiddenOut, headsIn),
                .. Norm("attention.output.LayerNorm"),
                .. Linear("intermediate.dense", ffnOut, hiddenIn),
                .. Linear("output.dense", hiddenOut, ffnIn),
                .. Norm("output.LayerNorm"),
            ]);

            ParameterSpec InLayer(string role, Axis[] axes, Initialization initialization) =>
                new($"bert.encoder.layer.{layer}.{role}", layer, role, axes, initialization);

            ParameterSpec[] Linear(string role, Axis output, Axis input) =>
            [
                InLayer(role + ".weight", [output, input], Initialization.Normal),
                InLayer(role + ".bias", [output], Initialization.Zeros),
            ];

            ParameterSpec[] Norm(string role) =>
            [
                InLayer(role + ".weight", [hidden], Initialization.Ones),
                InLayer(role + ".bias", [hidden], Initialization.Zeros),
            ];
        }

        specs.AddRange(
        [
            Shared(HeadTransform + ".weight", [hiddenOut, hiddenIn], Initialization.Normal),
            Shared(HeadTransform + ".bias", [hiddenOut], Initialization.Zeros),
            .. SharedNorm(HeadNorm).Select(spec => spec with { IsReadByHead = true, IsReadByTiedHead = config.TiedHead }),
            Shared(HeadBias, [vocabulary with { Side = AxisSide.Output }], Initialization.Zeros),
        ]);
        if (!config.TiedHead)
        {
            specs.Add(Shared(UntiedDecoder, [vocabulary with { Side = AxisSide.Output }, hiddenIn], Initialization.Normal));
        }

        return specs;

        static ParameterSpec Shared(string name, Axis[] axes, Initialization initialization) =>
            new(name, null, name, axes, initialization);

        ParameterSpec[] SharedNorm(string name) =>
        [
            Shared(name + ".weight", [hidden], Initialization.Ones),
            Shared(name + ".bias", [hidden], Initialization.Zeros),
        ];
    }

    /// <inheritdoc/>
    public Tensor Embed(ModelPart rest, ModelInput input)
    {
        Tensor types = rest[TypeEmbedding];
        Tensor x_BTC = Embedding(rest[TokenEmbedding], input.Ids)
            + rest[PositionEmbedding].Narrow(0, 0, input.Length)
            + (input.TypeIds is null ? types.Narrow(0, 0, 1) : Embedding(types, input.TypeIds));
        x_BTC = rest.LayerNorm(EmbeddingNorm, rest.Masked(AxisKind.Hidden, x_BTC), keepType: true);
        return Dropout(x_BTC, HiddenDropout(rest));
    }

    /// <inheritdoc/>
    public Tensor Layer(ModelPart layer, Tensor x_BTC, Tensor? lengths_B)
    {
        BertConfig config = Config(layer);
        double dropout = HiddenDropout(layer);

        // One product in place of three: the weights are small beside what they are multiplied with.
        string[] queryKeyValue = ["attention.self.query", "attention.self.key", "attention.self.value"];
        Tensor qkv = Functional.Linear(
            x_BTC,
            Tensor.Concatenate([.. queryKeyValue.Select(role => layer[role + ".weight"])], 0),
            Tensor.Concatenate([.. queryKeyValue.Select(role => layer[role + ".bias"])], 0),
            transposed: true);
        Tensor mixed_BTC = layer.Masked(AxisKind.Heads, SelfAttention(
            qkv, config.Heads, causal: false, layer.HasDropout ? config.AttentionDropout : 0, lengths_B));
        Tensor attended_BTC = layer.Linear("attention.output.dense", mixed_BTC, transposed: true);
        x_BTC = layer.LayerNorm("attention.output.LayerNorm", layer.Add(x_BTC, Dropout(attended_BTC, dropout)), keepType: true);

        Tensor inner_BTF = layer.Masked(
            AxisKind.Ffn, Gelu(layer.Linear("intermediate.dense", x_BTC, transposed: true), tanhApproximation: false));
        Tensor fed_BTC = layer.Linear("output.dense", inner_BTF, transposed: true);
        return layer.LayerNorm("output.LayerNorm", layer.Add(x_BTC, Dropout(fed_BTC, dropout)), keepType: true);
    }

    /// <inheritdoc/>
    public Tensor Finish(ModelPart rest, Tensor x_BTC) => x_BTC;

    /// <inheritdoc/>
    public Tensor Logits(ModelPart rest, Tensor hidden) =>
        Functional.Linear(Transformed(rest, hidden), Decoder(rest).Transpose(0, 1), rest[HeadBias]);

    /// <inheritdoc/>
    public Tensor LossSum(ModelPart rest, Tensor hidden_NC, Tensor targets_N) =>
        rest.LossSum(Transformed(rest, hidden_NC), Decoder(rest), rest[HeadBias], targets_N);

    /// <inheritdoc/>
    public FlopsCount LayerCost(ModelConfig config, int sequences, int length) => FlopsCount.OfLayer(config, sequences, length);

    /// <inheritdoc/>
    public FlopsCount HeadCost(ModelConfig config, double predictions) =>
        new(0, 0, 2.0 * config.HiddenSize * (config.HiddenSize + config.Vocabulary) * predictions);

    private static BertConfig Config(ModelPart part) => (BertConfig)part.Config;

    private static double HiddenDropout(ModelPart part) => part.HasDropout ? Config(part).HiddenDropout : 0;

    private static Tensor Decoder(ModelPart rest) => rest[rest.Config.TiedHead ? TokenEmbedding : UntiedDecoder];

    private static Tensor Transformed(ModelPart rest, Tensor hidden)
    {
        Tensor transformed = Gelu(rest.Linear(HeadTransform, hidden, transposed: true), tanhApproximation: false);
        return rest.LayerNorm(HeadNorm, rest.Masked(AxisKind.Hidden, transformed));
    }
}
