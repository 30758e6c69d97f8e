using Espalier.Data;
using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// BERT with its masked-language-model head, as Hugging Face's <c>BertForMaskedLM</c> defines it: norms after the
/// sublayers, learned positions and segments, exact GELU, and a head of its own transform and norm before the decoder,
/// which is by default the token embedding. Linear weights lie (out, in).
/// </summary>
public sealed class Bert : IArchitecture
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
    public IObjective Objective(Tokenizer tokenizer) => new MaskedToken(tokenizer);

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config)
    {
        var hidden = new Axis(AxisKind.Hidden, AxisSide.None, config.HiddenSize);
        Axis hiddenIn = hidden with { Side = AxisSide.Input };
        Axis hiddenOut = hidden with { Side = AxisSide.Output };
        Axis headsIn = hidden with { Kind = AxisKind.Heads, Side = AxisSide.Input };
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
                .. Linear("attention.self.query", headsOut, hiddenIn),
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
            .. SharedNorm(HeadNorm),
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
    public Tensor Hidden(
        ModelConfig config, ParameterSet parameters, ModelInput input, ForwardPlan plan, bool training)
    {
        var bert = (BertConfig)config;
        Tensor types = parameters[TypeEmbedding];
        Tensor x_BTC = Embedding(parameters[TokenEmbedding], input.Ids)
            + parameters[PositionEmbedding].Narrow(0, 0, input.Length)
            + (input.TypeIds is null ? types.Narrow(0, 0, 1) : Embedding(types, input.TypeIds));
        x_BTC = LayerNorm(
            x_BTC, parameters[EmbeddingNorm + ".weight"], parameters[EmbeddingNorm + ".bias"], bert.LayerNormEpsilon,
            keepType: true);
        x_BTC = Dropout(x_BTC, training ? bert.HiddenDropout : 0);
        foreach (int layer in plan.Layers)
        {
            x_BTC = Layer(bert, parameters, layer, x_BTC, input.Lengths, training);
        }

        return x_BTC;
    }

    /// <inheritdoc/>
    public Tensor Logits(ModelConfig config, ParameterSet parameters, Tensor hidden)
    {
        Tensor decoder_CV = Decoder(config, parameters).Transpose(0, 1);
        return Functional.Linear(Transformed(config, parameters, hidden), decoder_CV, parameters[HeadBias]);
    }

    /// <inheritdoc/>
    public Tensor Loss(ModelConfig config, ParameterSet parameters, Tensor hidden, Tensor targets) => LinearCrossEntropy(
        Transformed(config, parameters, hidden), Decoder(config, parameters), parameters[HeadBias], targets);

    /// <inheritdoc/>
    public FlopsCount ForwardFlops(ModelConfig config, ForwardPlan plan, int batchSize, int length, double predictions)
    {
        double tokens = (double)batchSize * length;
        double hidden = config.HiddenSize;
        // Queries, keys, values and output: 4 C^2; feed-forward: 2 C F. Scores and mixing: T C each a token.
        double perLayer = 2 * ((4 * hidden * hidden) + (2 * hidden * config.FfnWidth)) * tokens;
        double attention = 2 * 2 * hidden * length * tokens;
        double head = 2 * hidden * (hidden + config.Vocabulary) * predictions;
        return new FlopsCount(plan.Depth * perLayer, plan.Depth * attention, head);
    }

    private static Tensor Decoder(ModelConfig config, ParameterSet parameters) =>
        parameters[config.TiedHead ? TokenEmbedding : UntiedDecoder];

    private static Tensor Transformed(ModelConfig config, ParameterSet parameters, Tensor hidden) => LayerNorm(
        Gelu(
            Functional.Linear(
                hidden, parameters[HeadTransform + ".weight"], parameters[HeadTransform + ".bias"], transposed: true),
            tanhApproximation: false),
        parameters[HeadNorm + ".weight"],
        parameters[HeadNorm + ".bias"],
        config.LayerNormEpsilon);

    private static Tensor Layer(
        BertConfig config, ParameterSet parameters, int layer, Tensor x_BTC, Tensor? lengths_B, bool training)
    {
        double dropout = training ? config.HiddenDropout : 0;

        // One product in place of three: the weights are small beside what they are multiplied with.
        string[] queryKeyValue = ["attention.self.query", "attention.self.key", "attention.self.value"];
        Tensor qkv = Functional.Linear(
            x_BTC,
            Tensor.Concatenate([.. queryKeyValue.Select(Weight)], 0),
            Tensor.Concatenate([.. queryKeyValue.Select(Bias)], 0),
            transposed: true);
        Tensor mixed_BTC = SelfAttention(
            qkv, config.Heads, causal: false, training ? config.AttentionDropout : 0, lengths_B);
        x_BTC = Norm(
            "attention.output.LayerNorm", x_BTC + Dropout(Linear("attention.output.dense", mixed_BTC), dropout));

        Tensor inner_BTF = Gelu(Linear("intermediate.dense", x_BTC), tanhApproximation: false);
        return Norm("output.LayerNorm", x_BTC + Dropout(Linear("output.dense", inner_BTF), dropout));

        Tensor Linear(string role, Tensor x) => Functional.Linear(x, Weight(role), Bias(role), transposed: true);
        Tensor Norm(string role, Tensor x) => LayerNorm(x, Weight(role), Bias(role), config.LayerNormEpsilon, keepType: true);
        Tensor Weight(string role) => parameters[layer, role + ".weight"];
        Tensor Bias(string role) => parameters[layer, role + ".bias"];
    }
}
