"""The families beyond ViT and DeiT at the sizes that are published, random weights. Tests read it, so nothing but Python is needed here."""
from families import BOTH_OUTPUTS, BOXES, NO_CACHE, pixels, text
from rows import Row


def vit(width, layers, heads, **more):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width, **more)


LABELS = dict(num_labels=1000)
STAGES = [f"stage{i}" for i in (3, 6, 9, 12)]
DINOV2_S = vit(384, 12, 6, image_size=518)
DEPTH_S = dict(backbone_config=dict(DINOV2_S, model_type="dinov2", patch_size=14, out_features=STAGES, reshape_hidden_states=False),
               reassemble_hidden_size=384, neck_hidden_sizes=[48, 96, 192, 384], fusion_hidden_size=64)

DETR = dict(use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=dict(model_type="resnet", out_features=["stage4"]))

FULL_FAMILIES = [
    Row("swin_t", "SwinForImageClassification", LABELS, "dynamo", inputs=pixels(224)),
    Row("swin_b", "SwinForImageClassification", dict(LABELS, embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32]), "dynamo", inputs=pixels(224)),
    Row("dinov2_s_224", "Dinov2Model", DINOV2_S, "dynamo", BOTH_OUTPUTS, inputs=pixels(224)),
    Row("dinov2_s_518", "Dinov2Model", DINOV2_S, "dynamo", BOTH_OUTPUTS, inputs=pixels(518)),
    Row("beit_b", "BeitForImageClassification", dict(LABELS, use_relative_position_bias=True), "dynamo", inputs=pixels(224)),
    Row("segformer_b0", "SegformerForSemanticSegmentation", dict(num_labels=150), "dynamo", inputs=pixels(512)),
    Row("clip_b32_vision", "CLIPVisionModelWithProjection", {}, "dynamo", "image_embeds last_hidden_state", inputs=pixels(224)),
    Row("siglip_b16_vision", "SiglipVisionModel", {}, "dynamo", BOTH_OUTPUTS, inputs=pixels(224)),
    Row("convnext_t", "ConvNextForImageClassification", LABELS, "dynamo", inputs=pixels(224)),
    Row("resnet50", "ResNetForImageClassification", LABELS, "dynamo", inputs=pixels(224)),
    Row("bert_b", "BertModel", {}, "dynamo", BOTH_OUTPUTS, inputs=text(1, 128)),
    Row("gpt2", "GPT2LMHeadModel", {}, "dynamo", call=NO_CACHE, inputs=text(1, 64)),
    Row("depth_anything_s", "DepthAnythingForDepthEstimation", DEPTH_S, "dynamo", "predicted_depth", inputs=pixels(518)),
    Row("dpt_b", "DPTForDepthEstimation", {}, "dynamo", "predicted_depth", inputs=pixels(384)),
    Row("yolos_s", "YolosForObjectDetection", vit(384, 12, 6, image_size=[512, 864]), "dynamo", BOXES, inputs=pixels(512, 864)),
    Row("detr_r50", "DetrForObjectDetection", DETR, "dynamo", BOXES, inputs=pixels(800)),
    Row("sam_b_vision", "SamVisionModel", {}, "dynamo", "last_hidden_state", inputs=pixels(1024)),
]
