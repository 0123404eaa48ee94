"""The families beyond ViT and DeiT, one small row a model: what transformers calls them, made tiny. Tests read it, so nothing but Python is needed here."""
from rows import Input, Row

TOKENS, PATCHES = 8, 16     # of a text; of a 32 x 32 image in patches of 8
WIDTH = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
VIT = dict(WIDTH, image_size=32, patch_size=8)
TEXT = dict(WIDTH, vocab_size=99, max_position_embeddings=16, pad_token_id=1, bos_token_id=0, eos_token_id=98)
FIVE = dict(num_labels=5)
CLIP = dict(text_config=dict(TEXT, projection_dim=16), vision_config=VIT, projection_dim=16)
BOTH_OUTPUTS = "last_hidden_state pooler_output"
DUAL_OUTPUTS = "logits_per_image logits_per_text text_embeds image_embeds"
BOXES = "logits pred_boxes"
STAGES = ["stage1", "stage2", "stage3", "stage4"]
RESNET = dict(model_type="resnet", embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
SWIN = dict(image_size=32, patch_size=2, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4)
PYRAMID = dict(depths=[1, 1, 1, 1], hidden_sizes=[16, 16, 24, 32], num_attention_heads=[1, 2, 2, 4])
DINOV2 = dict(VIT, model_type="dinov2", num_hidden_layers=4, out_features=STAGES, reshape_hidden_states=False)
DETECTOR = dict(d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64,
                decoder_ffn_dim=64, num_queries=6, use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
                backbone_config=dict(RESNET, out_features=["stage4"]), **FIVE)
TINY_RESNET = dict(RESNET, embedding_size=4, hidden_sizes=[4, 4, 4, 4], layer_type="basic", out_features=STAGES)
LEVELS = dict(RESNET, out_features=["stage2", "stage3", "stage4"])
SWIN_LEVELS = dict(model_type="swin", image_size=64, patch_size=4, embed_dim=16, depths=[2, 1, 1, 1], num_heads=[2, 2, 4, 4], window_size=4,
                   out_features=STAGES)
MASK_DECODER = {k: v for k, v in DETECTOR.items() if k.startswith(("d_model", "encoder_", "decoder_", "num_queries"))}
DEPTH = dict(neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=8)
SAM_VISION = dict(hidden_size=32, output_channels=16, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=8, window_size=3,
                  global_attn_indexes=[1], num_pos_feats=8, mlp_dim=64)
SAM = dict(vision_config=SAM_VISION, prompt_encoder_config=dict(hidden_size=16, image_size=64, patch_size=8, mask_input_channels=4),
           mask_decoder_config=dict(hidden_size=16, mlp_dim=32, num_hidden_layers=2, num_attention_heads=2, iou_head_hidden_dim=16))
GPT2 = dict(vocab_size=99, n_positions=48, n_embd=32, n_layer=2, n_head=2, bos_token_id=98, eos_token_id=98)
TROCR = dict(vocab_size=99, d_model=32, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=64, max_position_embeddings=48, is_decoder=True)


def pixels(height, width=None, batch=1):
    return (Input("pixel_values", (batch, 3, height, width or height)),)


def video(frames):
    return (Input("pixel_values", (1, frames, 3, 32, 32)),)


def text(batch=2, length=TOKENS, first="batch"):
    return Input("input_ids", (batch, length), "text", first), Input("attention_mask", (batch, length), "mask", first)


def pair(**more):
    """Two texts and an image."""
    return *text(**more), *pixels(32)


def past(layers, shape, kind="past"):
    """Keys and values of the tokens before (or, "cross", of the picture), layer by layer."""
    return tuple(Input(f"{kind}_{layer}_{part}", shape) for layer in range(layers) for part in ("key", "value"))


MASKED = (*pixels(32), Input("noise", (1, PATCHES), "uniform"))
NO_CACHE = (("use_cache", False),)
LLAMA = dict(TEXT, num_key_value_heads=1)
OPSETS = "dynamo_o18 dynamo_o23 dynamo_o24 script_o14"
CACHED = (Input("input_ids", (1, 1), "text"), Input("attention_mask", (1, 6), "ones"))

FAMILIES = [
    # plain ViTs
    Row("vit_mim", "ViTForMaskedImageModeling", dict(VIT, encoder_stride=8), "dynamo script", "reconstruction",
        inputs=(*pixels(32), Input("bool_masked_pos", (1, PATCHES), "bool"))),
    Row("vit_mae", "ViTMAEModel", VIT, "dynamo dynamo_batch script_batch", "last_hidden_state mask ids_restore", inputs=MASKED),
    Row("vit_mae_pixels", "ViTMAEForPreTraining", dict(VIT, decoder_hidden_size=32, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=64), "dynamo_batch", "logits mask ids_restore", inputs=MASKED),
    Row("vit_msn", "ViTMSNForImageClassification", dict(VIT, **FIVE), "dynamo script"),
    Row("ijepa", "IJepaModel", VIT, "dynamo", "last_hidden_state"),
    Row("beit", "BeitForImageClassification", dict(VIT, **FIVE, use_relative_position_bias=True), "dynamo script dynamo_batch"),
    Row("beit_shared", "BeitForImageClassification", dict(VIT, **FIVE, use_shared_relative_position_bias=True, use_mean_pooling=False), "dynamo"),
    Row("data2vec", "Data2VecVisionForImageClassification", dict(VIT, **FIVE, use_relative_position_bias=True), "dynamo"),
    Row("dinov2", "Dinov2ForImageClassification", dict(VIT, **FIVE), "dynamo script dynamo_batch"),
    Row("dinov2_swiglu", "Dinov2Model", dict(VIT, use_swiglu_ffn=True), "dynamo script", BOTH_OUTPUTS),
    Row("dinov2_backbone", "Dinov2Backbone", dict(VIT, out_features=STAGES[:2]), "dynamo", "feature_maps"),
    Row("dinov2_registers", "Dinov2WithRegistersForImageClassification", dict(VIT, **FIVE, num_register_tokens=2), "dynamo"),
    Row("dinov3", "DINOv3ViTModel", dict(VIT, num_register_tokens=2), "dynamo script", BOTH_OUTPUTS),
    Row("yolos", "YolosForObjectDetection", dict(VIT, image_size=[32, 48], num_detection_tokens=6, use_mid_position_embeddings=True, **FIVE),
        "dynamo script", BOXES),
    Row("videomae", "VideoMAEForVideoClassification", dict(VIT, num_frames=4, tubelet_size=2, **FIVE), "dynamo", inputs=video(4)),
    Row("vivit", "VivitForVideoClassification", dict(VIT, num_frames=4, tubelet_size=[2, 8, 8], **FIVE), "dynamo", inputs=video(4)),
    Row("timesformer", "TimesformerForVideoClassification", dict(VIT, num_frames=4, **FIVE), "dynamo dynamo_batch", inputs=video(4)),
    # windows and pyramids
    Row("swin", "SwinForImageClassification", dict(SWIN, **FIVE), "dynamo script dynamo_batch script_batch"),
    Row("swin_padded", "SwinModel", SWIN, "dynamo", BOTH_OUTPUTS, inputs=pixels(28, 36)),
    Row("swinv2", "Swinv2ForImageClassification", dict(SWIN, **FIVE), "dynamo script"),
    Row("hiera", "HieraForImageClassification", dict(embed_dim=16, image_size=[64, 64], depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], **FIVE), "dynamo"),
    Row("pvt", "PvtForImageClassification", dict(PYRAMID, image_size=64, hidden_sizes=[8, 16, 16, 32], mlp_ratios=[2, 2, 2, 2], **FIVE), "dynamo"),
    Row("pvt_v2", "PvtV2ForImageClassification", dict(PYRAMID, image_size=64, num_attention_heads=[1, 2, 2, 4], mlp_ratios=[2, 2, 2, 2], **FIVE), "dynamo",
        inputs=pixels(64)),
    Row("segformer", "SegformerForSemanticSegmentation", dict(PYRAMID, decoder_hidden_size=16, **FIVE), "dynamo script", inputs=pixels(64)),
    Row("glpn", "GLPNForDepthEstimation", dict(PYRAMID, decoder_hidden_size=16), "dynamo", "predicted_depth", inputs=pixels(64)),
    Row("cvt", "CvtForImageClassification", dict(embed_dim=[16, 24, 32], num_heads=[1, 2, 2], depth=[1, 2, 3], **FIVE), "dynamo", inputs=pixels(64)),
    Row("levit", "LevitForImageClassification", dict(image_size=64, hidden_sizes=[16, 24, 32], num_attention_heads=[1, 2, 2], depths=[1, 1, 1],
                                                     key_dim=[8, 8, 8], **FIVE), "dynamo"),
    Row("mobilevit", "MobileViTForImageClassification", dict(image_size=64, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
                                                             num_attention_heads=2, **FIVE), "dynamo script"),
    Row("mobilevitv2", "MobileViTV2ForImageClassification", dict(image_size=64, width_multiplier=0.25, base_attn_unit_dims=[16, 24, 32],
                                                                 n_attn_blocks=[1, 1, 1], **FIVE), "dynamo"),
    # convolutional companions
    Row("resnet", "ResNetForImageClassification", dict({k: v for k, v in RESNET.items() if k != "model_type"}, **FIVE), "dynamo script", inputs=pixels(64)),
    Row("bit", "BitForImageClassification", dict(embedding_size=8, hidden_sizes=[32, 32, 64, 64], depths=[1, 1, 1, 1], num_groups=4, **FIVE), "dynamo",
        inputs=pixels(64)),
    Row("convnext", "ConvNextForImageClassification", dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], **FIVE), "dynamo", inputs=pixels(64)),
    Row("convnextv2", "ConvNextV2ForImageClassification", dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], **FIVE), "dynamo", inputs=pixels(64)),
    Row("regnet", "RegNetForImageClassification", dict(embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], groups_width=8, **FIVE), "dynamo",
        inputs=pixels(64)),
    Row("efficientnet", "EfficientNetForImageClassification", dict(image_size=64, width_coefficient=0.25, depth_coefficient=0.3, hidden_dim=320,
        in_channels=[16, 8, 16], out_channels=[8, 16, 16], kernel_sizes=[3, 5, 3], strides=[1, 2, 2], num_block_repeats=[1, 2, 2], expand_ratios=[1, 6, 6],
        depthwise_padding=[], **FIVE), "dynamo script"),
    Row("mobilenet_v1", "MobileNetV1ForImageClassification", dict(depth_multiplier=0.25, image_size=64, min_depth=4, **FIVE), "dynamo"),
    Row("mobilenet_v2", "MobileNetV2ForImageClassification", dict(depth_multiplier=0.25, image_size=64, depth_divisible_by=4, min_depth=4, **FIVE), "dynamo"),
    Row("poolformer", "PoolFormerForImageClassification", dict(hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], mlp_ratio=2.0, **FIVE), "dynamo",
        inputs=pixels(64)),
    Row("focalnet", "FocalNetForImageClassification", dict(image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], focal_levels=[2, 2],
                                                           focal_windows=[3, 3], hidden_sizes=[8, 16], **FIVE), "dynamo script_batch"),
    Row("swiftformer", "SwiftFormerForImageClassification", dict(image_size=64, depths=[1, 1, 1, 1], embed_dims=[8, 16, 16, 32], mlp_ratio=2, **FIVE),
        "dynamo"),
    # images and texts
    Row("clip_vision", "CLIPVisionModelWithProjection", dict(VIT, projection_dim=16), "dynamo script", "image_embeds"),
    Row("clip", "CLIPModel", CLIP, "dynamo script", DUAL_OUTPUTS, inputs=pair()),
    Row("clip_text", "CLIPTextModelWithProjection", dict(TEXT, projection_dim=16), "dynamo_batch script_batch", "text_embeds", inputs=text(1)),
    Row("clip_images", "CLIPModel", CLIP, "dynamo_batch script_batch", DUAL_OUTPUTS, inputs=pair(first="texts")),
    Row("siglip_vision", "SiglipVisionModel", VIT, "dynamo script", BOTH_OUTPUTS),
    Row("siglip", "SiglipModel", dict(text_config=TEXT, vision_config=VIT), "dynamo", DUAL_OUTPUTS, inputs=(text()[0], *pixels(32))),
    Row("owlvit", "OwlViTForObjectDetection", dict(text_config=dict(TEXT, pad_token_id=0, bos_token_id=97), vision_config=VIT, projection_dim=32),
        "dynamo", BOXES, inputs=pair()),
    Row("owlv2", "Owlv2ForObjectDetection", dict(text_config=dict(TEXT, pad_token_id=0, bos_token_id=97), vision_config=VIT, projection_dim=32),
        "dynamo", BOXES, inputs=pair()),
    Row("siglip2", "Siglip2VisionModel", dict(WIDTH, num_patches=16, patch_size=8), "dynamo", BOTH_OUTPUTS,
        inputs=(Input("pixel_values", (1, 16, 192)), Input("pixel_attention_mask", (1, 16), "mask"), Input("spatial_shapes", (1, 2), "grid"))),
    Row("chinese_clip", "ChineseCLIPModel", dict(text_config=dict(TEXT, pad_token_id=0), vision_config=VIT, projection_dim=16), "dynamo script",
        DUAL_OUTPUTS, inputs=pair()),
    Row("blip_vision", "BlipVisionModel", VIT, "dynamo", BOTH_OUTPUTS),
    Row("blip", "BlipForImageTextRetrieval", dict(text_config=dict(TEXT, encoder_hidden_size=32, projection_dim=16, sep_token_id=98), vision_config=VIT,
        projection_dim=16, image_text_hidden_size=16), "dynamo_batch", "itm_score", inputs=pair(batch=1)),
    # boxes, masks, depth, pose
    Row("detr", "DetrForObjectDetection", DETECTOR, "dynamo script", BOXES, inputs=pixels(64)),
    Row("conditional_detr", "ConditionalDetrForObjectDetection", DETECTOR, "dynamo", BOXES, inputs=pixels(64)),
    Row("deformable_detr", "DeformableDetrForObjectDetection", dict(DETECTOR, backbone_config=LEVELS, num_feature_levels=3, disable_custom_kernels=True),
        "dynamo", BOXES, inputs=pixels(64)),
    Row("rt_detr", "RTDetrForObjectDetection", dict(
        backbone_config=dict(LEVELS, model_type="rt_detr_resnet", layer_type="basic", downsample_in_bottleneck=False), encoder_hidden_dim=32,
        encoder_in_channels=[16, 24, 32], encoder_ffn_dim=64, encoder_attention_heads=2, d_model=32, num_queries=6, decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=64, decoder_layers=2, decoder_attention_heads=4, num_denoising=0, **FIVE), "dynamo script", BOXES, inputs=pixels(64)),
    Row("maskformer", "MaskFormerForInstanceSegmentation", dict(backbone_config=SWIN_LEVELS, decoder_config=dict(
        {k: v for k, v in DETECTOR.items() if k in MASK_DECODER}, model_type="detr"), fpn_feature_size=32, mask_feature_size=32, **FIVE), "dynamo",
        "class_queries_logits masks_queries_logits", inputs=pixels(64)),
    Row("mask2former", "Mask2FormerForUniversalSegmentation", dict(backbone_config=SWIN_LEVELS, feature_size=32, mask_feature_size=32, hidden_dim=32,
        encoder_feedforward_dim=32, encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=32, num_queries=6, **FIVE), "dynamo",
        "class_queries_logits masks_queries_logits", inputs=pixels(64)),
    Row("mask2former_resnet", "Mask2FormerForUniversalSegmentation", dict(backbone_config=TINY_RESNET, feature_size=32, mask_feature_size=16, hidden_dim=16,
        encoder_feedforward_dim=16, encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=16, num_queries=3, common_stride=8, **FIVE),
        "dynamo_batch", "class_queries_logits masks_queries_logits", inputs=pixels(32)),
    Row("upernet", "UperNetForSemanticSegmentation", dict(backbone_config=SWIN_LEVELS, hidden_size=16, pool_scales=[1, 2], auxiliary_channels=8,
        auxiliary_in_channels=64, **FIVE), "dynamo", inputs=pixels(64)),
    Row("vitdet", "VitDetModel", dict(VIT, image_size=64, pretrain_image_size=64, window_size=3, window_block_indices=[0], residual_block_indices=[1],
        use_relative_position_embeddings=True), "dynamo", "last_hidden_state", inputs=pixels(64)),
    Row("dpt", "DPTForDepthEstimation", dict(VIT, **DEPTH, num_hidden_layers=4, backbone_out_indices=[0, 1, 2, 3]), "dynamo script", "predicted_depth"),
    Row("depth_anything", "DepthAnythingForDepthEstimation", dict(DEPTH, backbone_config=DINOV2, reassemble_hidden_size=32, patch_size=8,
                                                                  head_hidden_size=8), "dynamo", "predicted_depth", inputs=pixels(48, 32)),
    Row("sam_vision", "SamVisionModel", SAM_VISION, "dynamo script", "last_hidden_state"),
    Row("sam_masks", "SamModel", SAM, "dynamo dynamo_batch", "iou_scores pred_masks",
        inputs=(Input("input_points", (1, 1, 2, 2), "uniform"), Input("input_labels", (1, 1, 2), "ones"), Input("image_embeddings", (1, 16, 8, 8)))),
    Row("vitpose", "VitPoseForPoseEstimation", dict(num_labels=4, scale_factor=4, use_simple_decoder=True, backbone_config=dict(
        model_type="vitpose_backbone", hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=[64, 48], patch_size=[16, 16], mlp_ratio=2,
        out_indices=[2])), "dynamo", "heatmaps", inputs=pixels(64, 48)),
    # tokens first, then the batch, as PyTorch's own layers have it
    Row("transformer", "torch.nn.Transformer", dict(d_model=16, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=32),
        "dynamo_batch script_batch", "decoded", inputs=(Input("src", (10, 1, 16), axis=1), Input("tgt", (6, 1, 16), axis=1))),
    # texts and decoders
    Row("bert", "BertModel", TEXT, "dynamo script dynamo_batch script_batch", BOTH_OUTPUTS, inputs=text()),
    Row("minilm", "BertModel", dict(TEXT, num_attention_heads=4), "dynamo script dynamo_batch", "last_hidden_state",
        inputs=(*text(), Input("token_type_ids", (2, TOKENS), "bit"))),
    Row("gpt2", "GPT2LMHeadModel", GPT2, f"dynamo script {OPSETS}", inputs=text(1), call=NO_CACHE),
    Row("gpt2_step", "GPT2LMHeadModel", GPT2, "dynamo dynamo_past script_past", "logits cache", inputs=(*CACHED, *past(2, (1, 2, 5, 16)))),
    Row("gpt2_step_of_4", "GPT2LMHeadModel", dict(GPT2, n_layer=4), "dynamo_past", "logits cache", inputs=(*CACHED, *past(4, (1, 2, 5, 16)))),
    Row("llama", "LlamaForCausalLM", LLAMA, "dynamo script dynamo_batch", inputs=text(1), call=NO_CACHE),
    Row("llama_step", "LlamaForCausalLM", LLAMA, "dynamo dynamo_o18 dynamo_o23 dynamo_o24 dynamo_past_o24", "logits cache", inputs=(*CACHED, *past(2, (1, 1, 5, 16)))),
    Row("trocr", "VisionEncoderDecoderModel", dict(encoder=dict(VIT, model_type="vit"), decoder=dict(TROCR, model_type="trocr", add_cross_attention=True,
        cross_attention_hidden_size=32)), "dynamo script", "logits encoder_last_hidden_state",
        inputs=(*pixels(32), Input("decoder_input_ids", (1, 6), "text")), call=NO_CACHE),
    Row("trocr_step", "TrOCRForCausalLM", dict(TROCR, cross_attention_hidden_size=32), "dynamo dynamo_past", "logits cache",
        inputs=(Input("input_ids", (1, 1), "text"), Input("encoder_hidden_states", (1, 17, 32)), *past(2, (1, 2, 5, 16)), *past(2, (1, 2, 17, 16), "cross"))),
    Row("donut", "VisionEncoderDecoderModel", dict(encoder=dict(SWIN, model_type="donut-swin"), decoder=dict(
        WIDTH, model_type="mbart", vocab_size=99, d_model=32, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=64, max_position_embeddings=48,
        is_decoder=True, add_cross_attention=True, scale_embedding=True, add_final_layer_norm=True)), "dynamo script",
        "logits encoder_last_hidden_state", inputs=(*pixels(32), Input("decoder_input_ids", (1, 6), "text")), call=NO_CACHE),
    Row("vit_gpt2", "VisionEncoderDecoderModel", dict(encoder=dict(VIT, model_type="vit"), decoder=dict(GPT2, model_type="gpt2", is_decoder=True,
        add_cross_attention=True)), "dynamo", "logits encoder_last_hidden_state", inputs=(*pixels(32), Input("decoder_input_ids", (1, 6), "text")),
        call=NO_CACHE),
]
