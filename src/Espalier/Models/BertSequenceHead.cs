using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// Hugging Face's <c>BertForSequenceClassification</c>: what stands at [CLS] goes through the tanh pooler, dropout and a
/// linear layer.
/// </summary>
internal sealed class BertSequenceHead : ISequenceHead
{
    private const string Pooler = "bert.pooler.dense";
    private const string Classifier = "classifier";

    /// <inheritdoc/>
    public string ClassName => "BertForSequenceClassification";

    /// <inheritdoc/>
    public string BackbonePrefix => "bert.";

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config, int outputs)
    {
        var hiddenIn = new Axis(AxisKind.Hidden, AxisSide.Input, config.HiddenSize);
        Axis hiddenOut = hiddenIn with { Side = AxisSide.Output };
        var classes = new Axis(AxisKind.Class, AxisSide.Output, outputs);
        return
        [
            Shared(Pooler + ".weight", [hiddenOut, hiddenIn], Initialization.Normal),
            Shared(Pooler + ".bias", [hiddenOut], Initialization.Zeros),
            Shared(Classifier + ".weight", [classes, hiddenIn], Initialization.Normal),
            Shared(Classifier + ".bias", [classes], Initialization.Zeros),
        ];

        static ParameterSpec Shared(string name, Axis[] axes, Initialization initialization) =>
            new(name, null, name, axes, initialization);
    }

    /// <inheritdoc/>
    public Tensor Scores(ModelConfig config, ParameterSet parameters, ModelInput input, Tensor hidden, bool training)
    {
        Tensor first_BC = hidden.Narrow(1, 0, 1).Reshape(-1, config.HiddenSize);
        Tensor pooled_BC = Layer(Pooler, first_BC).Tanh();
        return Layer(Classifier, Dropout(pooled_BC, training ? ((BertConfig)config).HiddenDropout : 0));

        Tensor Layer(string name, Tensor x) =>
            Linear(x, parameters[name + ".weight"], parameters[name + ".bias"], transposed: true);
    }
}
