namespace Espalier.Data;

/// <summary>A text, or a pair of texts, as a model takes it in.</summary>
/// <param name="Ids">The token ids, special ones included.</param>
/// <param name="TypeIds">To which text each belongs, as the tokenizer numbers them: BERT 0 and 1.</param>
public sealed record EncodedText(int[] Ids, int[] TypeIds);
