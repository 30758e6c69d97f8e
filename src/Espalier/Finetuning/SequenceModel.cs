using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Finetuning;

/// <summary>A model that gives whole sequences scores.</summary>
/// <param name="model">The model, its parameters those of the backbone and of the head; it belongs to it from now on.</param>
/// <param name="plan">Which stored layers run.</param>
/// <param name="outputs">The scores of a sequence.</param>
/// <param name="compute">Where the model lies, and in which number format the backbone computes.</param>
public sealed class SequenceModel(Model model, ForwardPlan plan, int outputs, Compute compute) : IDisposable
{
    private readonly ISequenceHead _head = model.Config.SequenceHead;

    /// <summary>The model as it is stored.</summary>
    public ModelConfig Config => model.Config;

    /// <summary>The parameters of the backbone and of the head.</summary>
    public ParameterSet Parameters => model.Parameters;

    /// <summary>Which stored layers run.</summary>
    public ForwardPlan Plan { get; } = plan;

    /// <summary>A model on a pre-trained backbone, whose tensors are copied.</summary>
    /// <param name="config">The model as it is stored.</param>
    /// <param name="pretrained">Its parameters.</param>
    /// <param name="pretrainedHead">Parameters of the head that come with it, by name.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <param name="outputs">The scores of a sequence.</param>
    /// <param name="seed">Of the head's other weights.</param>
    /// <param name="compute">Where the model lies, and in which number format the backbone computes.</param>
    public static SequenceModel On(
        ModelConfig config, ParameterSet pretrained, IReadOnlyDictionary<string, Tensor> pretrainedHead,
        ForwardPlan plan, int outputs, ulong seed, Compute compute)
    {
        ISequenceHead head = config.SequenceHead;
        ParameterSet fresh = ParameterSet.Initialize(
            head.Parameters(config, outputs), config, plan.Depth, seed, compute.Device);
        foreach (Parameter parameter in fresh)
        {
            if (pretrainedHead.TryGetValue(parameter.Name, out Tensor? value))
            {
                using var noGrad = new NoGrad();
                parameter.Value.CopyFrom(value);
            }
        }

        var parameters = new ParameterSet(pretrained
            .Where(parameter => head.IsBackbone(parameter.Name))
            .Select(parameter => parameter with { Value = ParameterSet.Trainable(parameter.Value.Clone()) })
            .Concat(fresh));
        return new SequenceModel(Model.Of(config, parameters), plan, outputs, compute);
    }

    /// <summary>The same architecture at full depth, freshly initialised.</summary>
    /// <inheritdoc cref="On"/>
    public static SequenceModel Random(
        ModelConfig config, ForwardPlan plan, int outputs, ulong seed, Compute compute)
    {
        ModelConfig full = config with { Layers = plan.Depth };
        return new SequenceModel(
            Model.Of(full, ParameterSet.Initialize(Specs(full, outputs), full, full.Layers, seed, compute.Device)),
            ForwardPlan.Plain(full.Layers), outputs, compute);
    }

    /// <summary>The scores of sequences, in single precision.</summary>
    /// <param name="input">B sequences.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>(B, outputs).</returns>
    public Tensor Scores(ModelInput input, bool training)
    {
        Tensor hidden_BTC;
        using (Autocast? autocast = compute.LowerProducts())
        {
            hidden_BTC = ForwardPass.Hidden(model, input, Plan, training);
        }

        // The head costs nothing, and scores rounded to bfloat16 would often be equal.
        return _head.Scores(Config, Parameters, input, hidden_BTC.To(ScalarType.Float32, compute.Device), training);
    }

    /// <summary>The model that stores every layer that runs. Its parameters are these, not copies: do not dispose of them.</summary>
    public (ModelConfig Config, ParameterSet Parameters) AtFullDepth()
    {
        ModelConfig full = Config with { Layers = Plan.Depth };
        return (full, Parameters.Unroll(Specs(full, outputs), Plan));
    }

    /// <summary>The parameters of a backbone, and of the head on it.</summary>
    internal static ParameterSpec[] Specs(ModelConfig config, int outputs)
    {
        ISequenceHead head = config.SequenceHead;
        return
        [
            .. config.Architecture.Parameters(config).Where(spec => head.IsBackbone(spec.Name)),
            .. head.Parameters(config, outputs),
        ];
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
