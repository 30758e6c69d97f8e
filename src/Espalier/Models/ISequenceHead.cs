using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// What gives whole sequences scores, in place of the vocabulary head: its parameters have the names and layouts of
/// Hugging Face's class for sequence classification.
/// </summary>
public interface ISequenceHead
{
    /// <summary>Hugging Face's class, as <c>config.json</c> names it.</summary>
    string ClassName { get; }

    /// <summary>How the names of the parameters below the head begin.</summary>
    string BackbonePrefix { get; }

    /// <summary>
    /// Whether a parameter lies below the head; of the head's own, whether Hugging Face counts it to the bare model:
    /// BERT's pooler.
    /// </summary>
    /// <param name="name">Its name.</param>
    sealed bool IsBackbone(string name) => name.StartsWith(BackbonePrefix, StringComparison.Ordinal);

    /// <summary>The head's parameters.</summary>
    /// <param name="config">The model.</param>
    /// <param name="outputs">The scores of a sequence.</param>
    IReadOnlyList<ParameterSpec> Parameters(ModelConfig config, int outputs);

    /// <summary>The scores of sequences.</summary>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Those of the backbone and of the head.</param>
    /// <param name="input">B sequences of T tokens.</param>
    /// <param name="hidden">(B, T, C), from <see cref="ForwardPass.Hidden"/>.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>(B, outputs).</returns>
    Tensor Scores(ModelConfig config, ParameterSet parameters, ModelInput input, Tensor hidden, bool training);
}
